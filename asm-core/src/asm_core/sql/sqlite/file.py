"""A SQLite file: how to connect to it, and whether it is still where it was."""

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


class SQLiteFile:
    """A database file: how to connect to it, and whether it is still where it was.

    Attributes:
        options: how to connect.
        path: where it is.
        in_memory: whether there is no file.
        identity: what tells it from a file that takes its place; None in memory.
    """

    def __init__(self, path: str, options: Any, *, create: bool) -> None:
        """Look at the file at `path`; make it if `create` is set and it is not there."""
        self.options = options
        self.path = path
        self.in_memory = path in {"", ":memory:"}
        # Once and for all: the program may change its directory.
        self._place = os.path.abspath(path)  # noqa: PTH100  Path.absolute keeps ".."
        self.identity: tuple[int, int] | None = None
        self._watch: Connection | None = None
        self._watch_lock = threading.Lock()
        if not self.in_memory:
            if os.path.isdir(self._place):  # noqa: PTH112  Path raises where it may not look
                message = f"{path} is a directory; name the database file in it."
                raise StorageError(message)
            if create:
                self._create()
            self.identity = self._look()
            if self.identity is None:
                raise self.missing()

    def connect(self) -> Connection:
        """Open a connection, with the options set; never makes a file.

        Raises:
            StorageError: a connection to this file was open when the parent forked this process, and cannot be closed.
        """
        if not is_usable(self.identity):
            message = (
                f"This process was forked while connections to {self.path} were open that it cannot close: an "
                "application's own, or any where there is no /proc. Fork before they are opened, or start the process "
                'with the method "spawn".'
            )
            raise StorageError(message)
        place = ":memory:" if self.in_memory else f"file:{quote(self._place)}?mode=rw"
        connection = Connection(
            place,
            file=None if self.in_memory else self._place,
            uri=not self.in_memory,
            timeout=self.options.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.identity = self.identity
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
            if self._watch is None:
                self._watch = self.connect()
            self._watch.finish()
            version: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
            return version

    def missing(self) -> StorageConnectionError:
        """Return the error for a file that is not there."""
        return StorageConnectionError(
            f"There is no database at {self.path}. Make it with `asm db upgrade`, or open it with migrate=True.",
            details={"path": self.path},
        )

    def gone(self) -> StorageConnectionError:
        """Return the error for a file that was there."""
        self.close()
        identity = self._look()
        if identity is not None:
            # Another file is there now, say a restored backup: the next call goes on with that one.
            self.identity = identity
        return StorageConnectionError(
            f"The database file {self.path} was removed or replaced while it was in use; bring it back and try again.",
            details={"path": self.path},
        )

    def close(self) -> None:
        """Close what this opened for itself."""
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def forget(self) -> None:
        """Let go, in a forked child, of what belongs to the parent."""
        self._watch_lock = threading.Lock()
        self._watch = None

    def _create(self) -> None:
        try:
            create_file(os.path.realpath(self._place), private=self.options.private)
        except FileExistsError:
            pass  # its mode is its owner's choice
        except OSError as error:
            message = f"The database {self.path} cannot be made: {error.strerror}; check that its directory is there."
            raise StorageConnectionError(message) from error

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._place)  # noqa: PTH116  asked for at each write
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _set_up(self, connection: Connection) -> None:
        deadline = time.monotonic() + self.options.busy_timeout
        while connection.execute("PRAGMA journal_mode").fetchone()[0] not in {"wal", "memory"}:
            try:
                connection.execute("PRAGMA journal_mode = wal")
            except sqlite3.OperationalError as error:
                # Two processes that switch a fresh file at once fail without asking the busy timeout.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_WAL_PAUSE)
        connection.execute(f"PRAGMA synchronous = {self.options.synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {self.options.wal_autocheckpoint}")
        connection.execute("PRAGMA foreign_keys = on")
