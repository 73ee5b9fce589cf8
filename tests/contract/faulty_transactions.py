"""Backends with one fault each in their transactions, and the test that is meant to catch it."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from copy import copy
from typing import TYPE_CHECKING, Any

from fault_registry import caught_by
from file_backend import TABLES
from richer_backends import Joining

from asm_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


@caught_by(
    "test_a_transaction_undoes_what_every_port_did",
    "test_an_inner_transaction_is_undone_alone",
    "test_an_inner_transaction_that_a_failed_call_ends_is_undone_alone",
)
class TransactionCommitsAnyway(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._state.lock:
            yield


@caught_by(
    "test_an_inner_transaction_is_undone_with_the_outer_one",
    "test_what_is_kept_of_nested_transactions_has_ended_well_all_the_way_out",
)
class InnerTransactionCommits(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._state.lock:
            outer = self._state._undo
            with self._state.transaction():
                yield
            if outer is not None:
                outer.clear()


@caught_by("test_transactions_of_threads_are_their_own")
class UndoingIsShared(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = {table: _copy(getattr(self._state, table)) for table in TABLES[:-1]}
        try:
            yield
        except BaseException:
            vars(self._state).update(before)
            raise


def _copy(table: dict[Any, Any]) -> dict[Any, Any]:
    return {key: copy(value) if isinstance(value, dict) else value for key, value in table.items()}


@caught_by("test_a_transaction_inside_the_callers_is_undone_alone")
class InnerOneLeftToTheCaller(Joining):
    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()


@caught_by("test_what_is_inside_the_callers_is_undone_with_it")
class InnerCommitsForTheCaller(InnerTransactionCommits, Joining):
    pass


@caught_by("test_another_thread_is_not_bound")
class BindsEveryThread(Joining):
    @contextmanager
    def bind(self, connection: object) -> Iterator[None]:  # noqa: ARG002
        lock = self._state.lock
        self._state.lock = nullcontext()  # type: ignore[assignment]
        yield
        self._state.lock = lock
