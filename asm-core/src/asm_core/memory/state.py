"""The data of the in-memory backend, its transactions, and the rollback of changes."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.fair_lock import Turns
from asm_core.concurrency.forking import renew_in_child
from asm_core.concurrency.transactions import OpenTransaction, Transactions
from asm_core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from asm_core.concurrency.places import Place
    from asm_core.models import Artifact, Run, Session, StateRecord, StoredEvent

_MISSING: Final = object()


class Held(OpenTransaction):
    """A transaction that holds the state from its first call to its end.

    Attributes:
        turn: its turn at the state, from the first call.
        is_kept: whether a child of a fork continues it, on its own copy.
    """

    __slots__ = ("is_kept", "turn")

    def __init__(self, outer: Held | None = None, *, is_call: bool = False) -> None:
        """Describe a transaction that begins now."""
        super().__init__(outer, is_call=is_call, excludes=False)
        self.turn: list[Place] = [] if outer is None else outer.turn
        self.is_kept = True

    @property
    def is_of_parent(self) -> bool:
        """Whether it was begun before the fork by another thread, which the child does not have."""
        return not self.is_kept


class State:
    """The tables, a turn for one transaction at a time, and an undo log during it.

    Several backends can share one state, like connections of one database.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.sessions: dict[str, Session] = {}
        self.runs: dict[str, Run] = {}
        self.events: dict[str, StoredEvent] = {}
        self.logs: dict[str, dict[int, StoredEvent]] = {}
        self.counters: dict[str, int] = {}
        self.log_ids: dict[str, str] = {}
        self.activity: dict[str, datetime] = {}
        self.removing: dict[str, datetime] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.records: dict[tuple[str, str], StateRecord] = {}
        self.commits = 0
        self.transactions = Transactions[Held]()
        self.undo: list[list[Callable[[], object]]] = []
        self._turns = Turns()
        renew_in_child(self)

    @property
    def lock(self) -> AbstractContextManager[None]:
        """A context for one call, inside the transaction that it joins, or alone."""
        return self._call()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the changes of one call: all of them, or none after an exception."""
        with self._call(), self._undoing():
            yield

    @contextmanager
    def begin(self) -> Iterator[State]:
        """Yield a state whose calls join one transaction, in any thread; other transactions wait until it ends."""
        joined = self.transactions.current()
        if joined is None:
            with self.begin_alone() as bound:
                self.take(bound.held)
                yield bound
        else:
            with joined.lock:
                joined.check_open()
                self.take(joined)
            with self._undoing():
                nested = Held(joined)
                with self.transactions.enter(nested):
                    yield BoundState(self, nested)

    @contextmanager
    def begin_alone(self) -> Iterator[BoundState]:
        """Work like `begin`, but join nothing, and take the turn at the first call."""
        held = Held()
        with self._held(held):
            yield BoundState(self, held)

    def take(self, held: Held) -> None:
        """Take the turn for a transaction, unless it has it.

        Raises:
            StorageError: this thread or task would wait for itself.
        """
        if held.turn:
            return
        if self._turns.is_mine():
            message = (
                "The store is busy: this thread or task has a transaction open, and would wait for itself. Use the "
                "ports that transaction() or bind() yielded, or end the transaction first."
            )
            raise StorageError(message)
        self._turns.take(held.turn, threading.TIMEOUT_MAX)
        if not held.is_call:
            self._turns.holder = ref(held)
            held.excludes = True
        self._begun()
        self.undo.append([])

    def after_fork(self) -> None:
        """Renew the turn in a child, and roll back uncommitted changes of the parent's other threads.

        The transaction of the forking thread continues in both processes, each on its own copy.
        """
        held = None if self._turns.holder is None else self._turns.holder()
        self._turns = Turns()
        if isinstance(held, Held) and held.thread == threading.get_ident():
            held.turn.clear()
            self._turns.take(held.turn, 0)
            self._turns.holder = ref(held)
            return
        if isinstance(held, Held):
            held.is_kept = False
        while self.undo:
            _take_back(self.undo.pop())

    def has_session(self, session_id: str) -> bool:
        """Return whether the session exists and its removal has not begun."""
        return session_id in self.sessions and session_id not in self.removing

    def put(self, table: dict[Any, Any], key: object, value: object) -> None:
        """Set an entry of a table, inside a transaction."""
        self._remember(table, key)
        table[key] = value

    def drop(self, table: dict[Any, Any], key: object) -> None:
        """Remove an entry of a table, if it exists, inside a transaction."""
        self._remember(table, key)
        table.pop(key, None)

    def _begun(self) -> None:
        """Do what a store outside of this process needs after the turn was taken."""

    def _ended(self) -> None:
        """Do what it needs before the turn is given back."""

    @contextmanager
    def _call(self) -> Iterator[None]:
        joined = self.transactions.current()
        if joined is None:
            held = Held(is_call=True)
            with self._held(held):
                self.take(held)
                yield
        else:
            with joined.lock:
                joined.check_open()
                self.take(joined)
                yield

    @contextmanager
    def _held(self, held: Held) -> Iterator[None]:
        """Keep a transaction open; commit what it did, or roll it back; and give the turn back."""
        try:
            with self.transactions.enter(held):
                yield
            if held.turn and self.undo.pop():
                self.commits += 1
        except BaseException:
            if held.turn and self.undo:
                _take_back(self.undo.pop())
            raise
        finally:
            if held.turn:
                self._ended()
                turns = self._turns  # renewed by a fork
                turns.owner = turns.holder = None
                turns.end(held.turn.pop())
                turns.ring()

    @contextmanager
    def _undoing(self) -> Iterator[None]:
        """Roll back the changes of the body after an exception; otherwise leave that to the outer transaction."""
        undo: list[Callable[[], object]] = []
        self.undo.append(undo)
        try:
            yield
        except BaseException:
            _take_back(undo)
            raise
        else:
            self.undo[-2].extend(undo)
        finally:
            self.undo.pop()

    def _remember(self, table: dict[Any, Any], key: object) -> None:
        if not self.undo:
            message = "a change outside a transaction cannot be rolled back"
            raise RuntimeError(message)
        old = table.get(key, _MISSING)
        step = partial(table.pop, key, None) if old is _MISSING else partial(table.__setitem__, key, old)
        self.undo[-1].append(step)


class BoundState(State):
    """A state whose calls join one transaction, `held`."""

    def __init__(self, origin: State, held: Held) -> None:
        """Join `held` in the tables of `origin`."""
        self._origin = origin
        self.held = held
        self.transactions = origin.transactions.bound_to(held)

    def __getattr__(self, name: str) -> Any:
        """Return a table or a counter of the original."""
        return getattr(self._origin, name)

    def take(self, held: Held) -> None:
        """Take the turn of the original."""
        self._origin.take(held)


def _take_back(undo: list[Callable[[], object]]) -> None:
    for step in reversed(undo):
        step()
