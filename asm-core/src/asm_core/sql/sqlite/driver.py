"""Python's SQLite driver with a gate around each call, so that no thread is inside SQLite during a fork.

A SQLite mutex that another thread holds at the fork would stay locked in the child. A gate is held for one call, never
for a transaction.
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
"""Held while a connection is opened, and during a fork."""
_live: Final[set[ref[Connection]]] = set()
_passed: Final[list[bool]] = []
_stopped: Final[list[Connection]] = []
_held: Final[list[bool]] = []
"""State during a fork: whether the passage is held, the open connections, and their held gates."""


class Cursor(sqlite3.Cursor):
    """A cursor that uses its connection's gate."""

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
        """Return all remaining rows."""
        with self.gate:
            return _base.fetchall(self)

    def __next__(self) -> Any:
        """Return the next row."""
        with self.gate:
            return _base.__next__(self)

    def close(self) -> None:
        """Release the statement."""
        with self.gate:
            _base.close(self)


class Connection(sqlite3.Connection):
    """A connection with a gate, which a forked child leaves to the parent.

    Attributes:
        gate: held during each call into SQLite.
        identity: the identity of its file; None in memory.
        file: the path of its file; None in memory.
        unlogged: the state of the file if the connection reads it without a log and without locks; else None.
        inodes: device and inode of its open files.
        kept: a cursor for statements whose rows are fetched at once, which saves making one for each.
        is_closed: whether it was closed.
        is_left: whether this process inherited it and left it to the parent.
    """

    identity: object = None
    unlogged: tuple[int, ...] | None = None
    inodes: frozenset[tuple[int, int]] = frozenset()
    is_closed = False
    is_left = False

    def __init__(self, database: str, *, file: str | None, **options: Any) -> None:
        """Open a connection to `file` (None: in memory) with the arguments of `sqlite3.connect`."""
        self.gate = threading.RLock()
        self.file = file
        self._cursors: set[ref[Cursor]] = set()
        with _passage:
            super().__init__(database, **options)
            _live.add(ref(self, _live.discard))
        self.kept = Cursor(self)
        self.kept.gate = self.gate

    def cursor(self, factory: Any = Cursor) -> Any:
        """Return a new cursor."""
        cursor = _connection.cursor(self, factory)
        cursor.gate = self.gate
        self._cursors.add(ref(cursor, self._cursors.discard))
        return cursor

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Execute a statement on a new cursor; statements that begin or end a transaction use a kept cursor."""
        if sql in _WITHOUT_ROWS:
            return self.kept.execute(sql)
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        """Commit the transaction, if one is open."""
        with self.gate:
            _connection.commit(self)

    def rollback(self) -> None:
        """Roll back the transaction, if one is open."""
        with self.gate:
            if not self.is_left:
                _connection.rollback(self)

    def close(self) -> None:
        """Roll back, and close.

        SQLite keeps a closed connection and its locks while one of its statements is referenced, for example by the
        traceback of an interruption.
        """
        with self.gate:
            with contextlib.suppress(sqlite3.Error):
                _base.close(self.kept)
                if self.in_transaction:
                    _connection.execute(self, "ROLLBACK")
            _connection.close(self)
            self.is_closed = True

    def finish(self) -> None:
        """Reset all open statements.

        The traceback of an interruption may reference their cursors. An open statement keeps the connection's read
        snapshot, so that further reads would return old data.
        """
        if self._cursors:
            with self.gate:
                self._close_cursors()

    def note_inodes(self) -> None:
        """Update the list of open files: SQLite opens the log and its index at the first read."""
        if self.file is not None and len(self.inodes) < len(forks.SUFFIXES):
            self.inodes |= forks.inodes_of(self.file)

    def has_journal(self) -> bool:
        """Return whether a transaction is open in a file without a write-ahead log."""
        with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed
            return self.in_transaction and len(self.inodes) < len(forks.SUFFIXES)
        return False

    def leave(self) -> None:
        """Close an inherited connection, in a child where `forks` has disconnected it from its files."""
        self.is_left = True
        self._close_cursors()
        _base.close(self.kept)
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
    """Wait until no thread is inside SQLite, and block further calls; called before the fork."""
    error: BaseException | None = None
    while not _passed or len(_held) < len(_stopped):
        try:
            if not _passed:
                take(_passed, _passage.acquire)
                _stopped[:] = _alive()
                _prepare()
            _held.extend(map(_acquire, [connection.gate for connection in _stopped[len(_held) :]]))
        except BaseException as raised:  # noqa: BLE001  from a signal handler; the fork can no longer be stopped
            error = raised
    if error is not None:
        raise error


def _prepare() -> None:
    for connection in _stopped:
        connection.note_inodes()
    if _stopped:
        forks.prepare()


def _go_on() -> None:
    """Open all gates; called after the fork, in both processes."""
    try:
        deque(map(_release, [connection.gate for connection in _stopped[: len(_held)]]), maxlen=0)
    finally:
        _held.clear()
        _stopped.clear()
        if _passed:
            _passed.clear()
            _passage.release()


def _leave() -> None:
    """Leave the inherited connections to the parent; called in the child."""
    inherited = [connection for connection in _stopped or _alive() if connection.inodes and not connection.is_closed]
    try:
        if inherited:
            forks.leave(inherited, are_idle=len(_held) == len(_stopped) > 0)
    finally:
        _go_on()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_stop, after_in_parent=_go_on)
    do_first_in_child(_leave)
