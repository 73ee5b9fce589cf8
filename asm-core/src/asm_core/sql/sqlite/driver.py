"""Python's driver of SQLite, with a gate before each call, so that no thread is inside SQLite while the process forks.

A mutex of SQLite that another thread holds at the fork stays locked in the child. A gate is held for the length of one
call, never for that of a transaction.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from asm_core.concurrency.contexts import take
from asm_core.concurrency.forking import do_first_in_child
from asm_core.sql.sqlite import forks

if TYPE_CHECKING:
    from collections.abc import Iterable

_Gate = type(threading.RLock())
_acquire, _release = _Gate.acquire, _Gate.release
_base = sqlite3.Cursor
_connection = sqlite3.Connection

_WITHOUT_ROWS: Final = frozenset({"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"})

_passage: Final = threading.RLock()
"""Held while a connection is opened, and while the process forks."""
_live: Final[set[ref[Connection]]] = set()
_passed: Final[list[bool]] = []
_stopped: Final[list[Connection]] = []
_held: Final[list[bool]] = []
"""At a fork: whether the passage is held, the connections that are live, and which of their gates are held."""


class Cursor(sqlite3.Cursor):
    """A cursor that passes its connection's gate."""

    gate: Any
    __slots__ = ("gate",)

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        """Execute a statement."""
        with self.gate:
            _base.execute(self, sql, parameters)
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Cursor:
        """Execute a statement for each row of parameters."""
        with self.gate:
            _base.executemany(self, sql, parameters)
        return self

    def executescript(self, sql_script: str, /) -> Cursor:
        """Execute several statements."""
        with self.gate:
            _base.executescript(self, sql_script)
        return self

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        with self.gate:
            return _base.fetchone(self)

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        """Return the next rows."""
        with self.gate:
            return _base.fetchmany(self, size)

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        with self.gate:
            return _base.fetchall(self)

    def __next__(self) -> Any:
        """Return the next row."""
        with self.gate:
            return _base.__next__(self)

    def close(self) -> None:
        """Let go of the statement."""
        with self.gate:
            _base.close(self)


class Connection(sqlite3.Connection):
    """A connection that passes its gate, and that a forked child leaves to the parent.

    Attributes:
        gate: held during each call into SQLite.
        identity: the file that it was connected to; None in memory.
        file: the path of the file; None in memory.
        inodes: device and number of the files that it has open.
        is_closed: whether it was closed.
        is_left: whether this process inherited it, and left it to its parent.
    """

    identity: object = None
    inodes: frozenset[tuple[int, int]] = frozenset()
    is_closed = False
    is_left = False

    def __init__(self, database: str, *, file: str | None, **options: Any) -> None:
        """Open a connection to `file`, None in memory, with the arguments of `sqlite3.connect`."""
        self.gate = threading.RLock()
        self.file = file
        self._cursors: set[ref[Cursor]] = set()
        with _passage:
            super().__init__(database, **options)
            _live.add(ref(self, _live.discard))
        self._kept = Cursor(self)
        self._kept.gate = self.gate

    def cursor(self, factory: Any = Cursor) -> Any:
        """Return a new cursor."""
        cursor = _connection.cursor(self, factory)
        cursor.gate = self.gate
        self._cursors.add(ref(cursor, self._cursors.discard))
        return cursor

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Execute a statement on a new cursor; one that begins or ends a transaction on a cursor that is kept."""
        if sql in _WITHOUT_ROWS:
            return self._kept.execute(sql)
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        """Commit the transaction, if one is open."""
        with self.gate:
            _connection.commit(self)

    def rollback(self) -> None:
        """Undo the transaction, if one is open."""
        with self.gate:
            if not self.is_left:
                _connection.rollback(self)

    def close(self) -> None:
        """Undo what is not committed, and close.

        SQLite keeps a closed connection, and its locks, for as long as a statement of it is somewhere referred to, as
        from the traceback of an interruption.
        """
        with self.gate:
            with contextlib.suppress(sqlite3.Error):
                if self.in_transaction:
                    _connection.execute(self, "ROLLBACK")
            _connection.close(self)
            self.is_closed = True

    def finish(self) -> None:
        """End the statements that are still open.

        The traceback of an interruption may refer to their cursors, and an open statement keeps its connection in the
        past: whatever is read next would be as old.
        """
        if self._cursors:
            with self.gate:
                self._close_cursors()

    def note_inodes(self) -> None:
        """Find out which files it has open: SQLite opens the log and its index when it first reads."""
        if self.file is not None and len(self.inodes) < len(forks.SUFFIXES):
            self.inodes |= forks.inodes_of(self.file)

    def has_journal(self) -> bool:
        """Return whether a transaction is open in a file without a write-ahead log."""
        with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed
            return self.in_transaction and len(self.inodes) < len(forks.SUFFIXES)
        return False

    def leave(self) -> None:
        """Close what is the parent's, in a child where `forks` has cut it off from its files."""
        self.is_left = True
        self._close_cursors()
        _connection.close(self)
        self.is_closed = True

    def _close_cursors(self) -> None:
        for reference in list(self._cursors):
            cursor = reference()
            if cursor is not None:
                _base.close(cursor)
            self._cursors.discard(reference)


def _alive() -> list[Connection]:
    return [connection for reference in list(_live) if (connection := reference()) is not None]


def _stop() -> None:
    """Wait until no thread is inside SQLite, and let none in; before the fork."""
    error: BaseException | None = None
    while not _passed or len(_held) < len(_stopped):
        try:
            if not _passed:
                take(_passed, _passage.acquire)
                _stopped[:] = _alive()
                _prepare()
            _held.extend(map(_acquire, [connection.gate for connection in _stopped[len(_held) :]]))
        except BaseException as raised:  # noqa: BLE001  a signal handler's; nothing stops the fork any more
            error = raised
    if error is not None:
        raise error


def _prepare() -> None:
    for connection in _stopped:
        connection.note_inodes()
    if _stopped:
        forks.prepare()


def _go_on() -> None:
    """Open all gates; after the fork, in both processes."""
    try:
        deque(map(_release, [connection.gate for connection in _stopped[: len(_held)]]), maxlen=0)
    finally:
        _held.clear()
        _stopped.clear()
        if _passed:
            _passed.clear()
            _passage.release()


def _leave() -> None:
    """Leave the inherited connections to the parent; in the child."""
    inherited = [connection for connection in _stopped or _alive() if connection.inodes and not connection.is_closed]
    try:
        if inherited:
            forks.leave(inherited, are_idle=len(_held) == len(_stopped) > 0)
    finally:
        _go_on()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_stop, after_in_parent=_go_on)
    do_first_in_child(_leave)
