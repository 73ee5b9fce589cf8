"""Backends with one fault each in their transactions, and the test that is meant to catch it."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from copy import copy
from typing import TYPE_CHECKING, Any

from fault_registry import caught_by
from file_backend import TABLES

from asm_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from asm_core import Ports

PORTS = ("session_store", "query_api", "maintenance", "artifact_registry")


@caught_by(
    "test_a_transaction_undoes_what_every_port_did",
    "test_an_inner_transaction_is_undone_alone",
    "test_an_inner_transaction_that_a_failed_call_ends_is_undone_alone",
)
class TransactionCommitsAnyway(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        yield self


@caught_by(
    "test_an_inner_transaction_is_undone_with_the_outer_one",
    "test_what_is_kept_of_nested_transactions_has_ended_well_all_the_way_out",
)
class InnerTransactionCommits(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        with super().transaction() as ports:
            yield ports
        for undo in self._state.undo:
            undo.clear()


@caught_by("test_transactions_of_threads_are_their_own")
class UndoingIsShared(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        before = {table: _copy(getattr(self._state, table)) for table in TABLES[:-1]}
        try:
            yield self
        except BaseException:
            vars(self._state).update(before)
            raise


def _copy(table: dict[Any, Any]) -> dict[Any, Any]:
    return {key: copy(value) if isinstance(value, dict) else value for key, value in table.items()}


@caught_by("test_a_transaction_inside_the_callers_is_undone_alone")
class InnerOneLeftToTheCaller(MemoryBackend):
    def transaction(self) -> AbstractContextManager[Ports]:
        return super().transaction() if not self._state.undo else nullcontext(self)


@caught_by("test_what_is_inside_the_callers_is_undone_with_it")
class InnerCommitsForTheCaller(InnerTransactionCommits):
    pass


@caught_by("test_another_thread_is_not_bound")
class BindsEveryThread(MemoryBackend):
    @contextmanager
    def bind(self, connection: object) -> Iterator[Ports]:
        own = {port: getattr(self, port) for port in PORTS}
        with super().bind(connection) as ports:
            vars(self).update({port: getattr(ports, port) for port in PORTS})
            try:
                yield ports
            finally:
                vars(self).update(own)
