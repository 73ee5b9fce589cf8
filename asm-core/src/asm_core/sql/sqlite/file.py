"""A SQLite file: its connections, and the check that it was not replaced."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from typing import Any
from urllib.parse import quote

from asm_core.errors import StorageConnectionError, StorageError
from asm_core.sql.sqlite.driver import Connection
from asm_core.sql.sqlite.file_modes import create_file
from asm_core.sql.sqlite.forks import is_usable

_WAL_PAUSE = 0.01
_NOT_WRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_LOGS = ("-wal", "-journal")


class SQLiteFile:
    """A database file: its connections, and the check that it was not replaced.

    Attributes:
        options: the connection options.
        path: its path.
        in_memory: whether there is no file.
        identity: device and inode, which differ for a replacement; None in memory.
    """

    def __init__(self, path: str, options: Any, *, create: bool) -> None:
        """Check the file at `path`; create it if `create` is set and it does not exist."""
        self.options = options
        self.path = path
        self.in_memory = path in {"", ":memory:"}
        # Absolute: the program may change its working directory.
        self._place = os.path.abspath(path)  # noqa: PTH100  Path.absolute keeps ".."
        self.identity: tuple[int, int] | None = None
        self._watch: Connection | None = None
        self._watch_lock = threading.Lock()
        if not self.in_memory:
            if os.path.isdir(self._place):  # noqa: PTH112  Path raises without permission
                message = f"{path} is a directory. Name a database file in it."
                raise StorageError(message)
            if create:
                self._create()
            self.identity = self._look()
            if self.identity is None:
                raise self.missing()

    def connect(self) -> Connection:
        """Open a connection with the options; never creates a file.

        Raises:
            StorageError: this process inherited an open connection to this file that it cannot close.
        """
        if not is_usable(self.identity):
            message = (
                f"This process inherited connections to {self.path} that it cannot close: connections of the "
                "application, or any connections on a system without /proc. Fork before they are opened, or start the "
                'process with the method "spawn".'
            )
            raise StorageError(message)
        if self.in_memory:
            return self._open(":memory:", None)
        place = f"file:{quote(self._place)}"
        try:
            return self._open(f"{place}?mode=rw", None)
        except sqlite3.OperationalError as error:
            # Reads need a log file and its index. Without the permission to make them, a file that no process writes
            # can be read as it is.
            state = self.unlogged_state() if error.sqlite_errorcode & 0xFF in _NOT_WRITABLE else None
            if state is None:
                raise
            return self._open(f"{place}?mode=ro&immutable=1", state)

    def unlogged_state(self) -> tuple[int, ...] | None:
        """Return what changes with each write to the file itself; None if there is a log, or the file is missing."""
        try:
            found = os.stat(self._place)  # noqa: PTH116  called at each read
        except OSError:
            return None
        if any(os.path.exists(self._place + suffix) for suffix in _LOGS):  # noqa: PTH110  likewise
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def is_unchanged(self, connection: Connection) -> bool:
        """Return whether a connection sees the file as it is; only one that reads it without a log may not."""
        return connection.unlogged is None or connection.unlogged == self.unlogged_state()

    def changed(self) -> StorageConnectionError:
        """Return the error for a file that changed while it was read without a log."""
        return StorageConnectionError(
            f"The database file {self.path} was changed while it was read. This user may not write to its directory, "
            "and cannot lock it. Retry.",
            details={"path": self.path},
        )

    def _open(self, place: str, unlogged: tuple[int, ...] | None) -> Connection:
        connection = Connection(
            place,
            file=None if self.in_memory else self._place,
            uri=not self.in_memory,
            timeout=self.options.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.identity, connection.unlogged = self.identity, unlogged
            self._set_up(connection)
            connection.note_inodes()
        except BaseException:
            connection.close()
            raise
        return connection

    def is_the_same(self) -> bool:
        """Return whether the file is still the one that was opened."""
        return self.identity is None or self._look() == self.identity

    def data_version(self) -> int:
        """Return a number that changes with each commit of another connection."""
        with self._watch_lock:
            if self._watch is not None and not self.is_unchanged(self._watch):
                self._watch.close()
                self._watch = None
            if self._watch is None:
                self._watch = self.connect()
            if self._watch.unlogged is not None:
                return hash(self._watch.unlogged)
            self._watch.finish()
            version: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
            return version

    def missing(self) -> StorageConnectionError:
        """Return the error for a file that does not exist."""
        return StorageConnectionError(
            f"There is no database at {self._place}. Create it with `asm db upgrade`, or open it with migrate=True.",
            details={"path": self.path},
        )

    def gone(self) -> StorageConnectionError:
        """Return the error for a file that was removed or replaced."""
        self.close()
        identity = self._look()
        if identity is not None:
            # Another file is in its place, such as a restored backup: the next call uses it.
            self.identity = identity
        return StorageConnectionError(
            f"The database file {self.path} was removed or replaced while it was in use. Restore it and retry.",
            details={"path": self.path},
        )

    def close(self) -> None:
        """Close the connection that this object opened for itself."""
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def forget(self) -> None:
        """Release resources of the parent, in a forked child."""
        self._watch_lock = threading.Lock()
        self._watch = None

    def _create(self) -> None:
        try:
            create_file(os.path.realpath(self._place), private=self.options.private)
        except FileExistsError:
            pass  # its owner chooses its mode
        except OSError as error:
            message = f"The database {self.path} cannot be created: {error.strerror}. Check that its directory exists."
            raise StorageConnectionError(message) from error

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._place)  # noqa: PTH116  called at each write
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _set_up(self, connection: Connection) -> None:
        deadline = time.monotonic() + self.options.busy_timeout
        while connection.unlogged is None and connection.execute("PRAGMA journal_mode").fetchone()[0] not in {
            "wal",
            "memory",
        }:
            try:
                connection.execute("PRAGMA journal_mode = wal")
            except sqlite3.OperationalError as error:
                # If two processes switch a new file at the same time, one fails without waiting for the busy timeout.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_WAL_PAUSE)
        connection.execute(f"PRAGMA synchronous = {self.options.synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {self.options.wal_autocheckpoint}")
        connection.execute("PRAGMA foreign_keys = on")
        # From the start: a page that is split would otherwise keep copies of the rows that moved.
        connection.execute("PRAGMA secure_delete = on")
