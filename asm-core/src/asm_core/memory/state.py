"""The data of the in-memory backend, and the rollback of changes."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.forking import renew_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from asm_core.models import Artifact, Run, Session, StoredEvent

_MISSING: Final = object()


class State:
    """The tables, their lock, and an undo log during a transaction.

    Several backends can share one state, like connections of one database.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.lock = threading.RLock()
        self.sessions: dict[str, Session] = {}
        self.runs: dict[str, Run] = {}
        self.events: dict[str, StoredEvent] = {}
        self.logs: dict[str, dict[int, StoredEvent]] = {}
        self.counters: dict[str, int] = {}
        self.log_ids: dict[str, str] = {}
        self.activity: dict[str, datetime] = {}
        self.removing: dict[str, datetime] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.commits = 0
        self._undo: list[list[Callable[[], object]]] = []
        self._owner: int | None = None
        renew_in_child(self)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes inside one transaction: commit at the end, roll back on an exception. Other threads wait."""
        with self.lock:
            undo: list[Callable[[], object]] = []
            self._undo.append(undo)
            self._owner = threading.get_ident()
            try:
                yield
            except BaseException:
                _take_back(undo)
                raise
            else:
                if len(self._undo) == 1:
                    self.commits += 1
                else:
                    self._undo[-2].extend(undo)
            finally:
                self._undo.pop()

    def after_fork(self) -> None:
        """Renew the lock in a child, and roll back uncommitted changes of the parent's other threads.

        The transaction of the forking thread continues in both processes, each on its own copy.
        """
        self.lock = threading.RLock()
        if self._undo and self._owner != threading.get_ident():
            for undo in reversed(self._undo):
                _take_back(undo)
            self._undo.clear()

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

    def _remember(self, table: dict[Any, Any], key: object) -> None:
        if not self._undo:
            message = "a change outside a transaction cannot be rolled back"
            raise RuntimeError(message)
        old = table.get(key, _MISSING)
        step = partial(table.pop, key, None) if old is _MISSING else partial(table.__setitem__, key, old)
        self._undo[-1].append(step)


def _take_back(undo: list[Callable[[], object]]) -> None:
    for step in reversed(undo):
        step()
