"""Backends whose transactions leak between tasks and threads, and the test that is meant to catch each."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

from fault_registry import caught_by

from asm_core import StorageError
from asm_core.concurrency.transactions import Transactions
from asm_core.memory import MemoryBackend, State
from asm_core.memory.session_store import MemorySessionStore
from asm_core.memory.state import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core import Event, Ports


@caught_by("test_ports_of_a_transaction_that_ended_raise")
class YieldsItsOwnPorts(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        with super().transaction():
            yield self


class ByThread(Transactions[Held]):
    """Joins what is open in the thread, whatever task began it."""

    def current(self) -> Held | None:
        here = [one for reference in self._open if (one := reference()) is not None and not one.is_over]
        mine = [one for one in here if one.thread == threading.get_ident()]
        return next((one for one in mine if one.inner is None or (inner := one.inner()) is None or inner.is_over), None)


@caught_by(
    "test_a_task_does_not_join_the_transaction_of_another",
    "test_a_call_that_would_join_by_accident_raises",
    "test_overlapping_transactions_of_tasks_are_whole_or_not_at_all",
)
class JoinsByThread(MemoryBackend):
    def __init__(self, state: State) -> None:
        super().__init__(state)
        state.transactions = ByThread()


class ByContext(Transactions[Held]):
    """Joins what a context inherited, whatever thread and task it is."""

    def _check_allowed(self, one: Held) -> None:
        pass


@caught_by("test_a_context_that_inherited_a_transaction_does_not_join_it")
class JoinsByContext(MemoryBackend):
    def __init__(self, state: State) -> None:
        super().__init__(state)
        state.transactions = ByContext()


@caught_by("test_the_ports_of_a_nested_transaction_are_undone_alone", "test_the_yielded_ports_are_in_the_transaction")
class NothingIsUndone(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        with super().transaction() as ports:
            ports.transaction = lambda: nullcontext(ports)  # type: ignore[method-assign]
            try:
                yield ports
            finally:
                for undo in self._state.undo:
                    undo.clear()


@caught_by("test_bound_ports_are_in_the_callers_transaction")
class BoundPortsCommit(MemoryBackend):
    @contextmanager
    def bind(self, connection: object) -> Iterator[Ports]:
        with super().bind(connection) as ports:
            yield ports
        for undo in self._state.undo:
            undo.clear()


@caught_by("test_the_ports_may_move_to_another_thread", "test_the_yielded_ports_may_move_to_another_task")
class MovedCallsAreLost(MemoryBackend):
    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        with super().transaction() as ports:
            ports.session_store = OfOneTask(ports.session_store._state)  # type: ignore[attr-defined]
            yield ports


class OfOneTask(MemorySessionStore):
    """Stores nothing of another task."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._mark: ContextVar[bool] = ContextVar("mark", default=False)
        self._mark.set(True)

    def _append(self, events: list[Event]) -> list[Event]:
        return super()._append(events) if self._mark.get() else [event.numbered(1) for event in events]


_IN_ONE: ContextVar[bool] = ContextVar("in_one", default=False)


class Cautious(MemorySessionStore):
    """Refuses a task that was begun in a transaction, also after its end."""

    def _append(self, events: list[Event]) -> list[Event]:
        if _IN_ONE.get():
            raise StorageError("a transaction is open")
        return super()._append(events)


@caught_by("test_what_follows_a_transaction_in_a_task_is_sound")
class StaysInherited(MemoryBackend):
    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.session_store = Cautious(state)

    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        _IN_ONE.set(True)
        try:
            with super().transaction() as ports:
                yield ports
        finally:
            _IN_ONE.set(False)
