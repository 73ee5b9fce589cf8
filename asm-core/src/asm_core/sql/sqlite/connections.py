"""Connections to a SQLite file that the backend opens itself, for any ORM."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from asm_core.concurrency.contexts import contextmanager
from asm_core.sql.connector import C, Connector
from asm_core.sql.pool import Pool
from asm_core.sql.sqlite.transactions import undo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core.sql.failures import Translating
    from asm_core.sql.sqlite.file import SQLiteFile


class FileConnections(Connector[C]):
    """One kept connection for writing, and a pool for reading; in memory there is only the first one."""

    def __init__(self, file: SQLiteFile, connect: Callable[[], C], errors: Translating) -> None:
        """Start without a connection.

        Args:
            file: the database file.
            connect: opens a connection of the ORM with `file.connect`.
            errors: the error translation of the ORM.
        """
        self.errors = errors
        self.is_single = file.in_memory
        self.size = 1 if file.in_memory else file.options.readers + 1
        self._file = file
        self._connect = connect
        self._writer: C | None = None
        self._readers: Pool[C] = Pool(
            connect, size=file.options.readers, timeout=file.options.busy_timeout, is_usable=self._is_usable
        )

    @contextmanager
    def statement(self) -> Iterator[C]:
        """Lend a connection for reading."""
        self._check_file()
        with self._readers.lend() as connection:
            yield connection
            if not self._file.is_unchanged(connection.driver):
                raise self._file.changed()

    @contextmanager
    def transaction(self) -> Iterator[C]:
        """Provide the connection for writing, in a transaction; the caller holds the turn."""
        connection = self._take_writer()
        driver = connection.driver  # an ORM may not return it again after an interruption
        try:
            driver.execute("BEGIN IMMEDIATE")
            yield connection
            driver.execute("COMMIT")
            self._check_file(connection)
        except BaseException:
            undo(driver)
            if not self.is_single:
                self._drop_writer()  # an interruption may have left it with an open statement
            raise

    def change_token(self) -> object:
        """Return a value that changes with each commit of another connection."""
        if self.is_single:
            return None
        self._check_file()
        return self._file.data_version()

    def leave_to_parent(self) -> None:
        """Release the parent's connections; a database in memory is a copy, which belongs to the child."""
        if not self.is_single:
            self._writer = None
            self._file.forget()
        elif self._writer is not None:
            self._writer.driver.rollback()
        self._readers.forget()

    def close(self) -> None:
        """Close all connections."""
        self._drop_writer()
        self._file.close()
        self._readers.close()

    def _take_writer(self) -> C:
        self._check_file()
        if self._writer is not None and not self._is_usable(self._writer):
            if self.is_single:
                self._writer.driver.rollback()  # an interruption left it in a transaction; the data are in it alone
            else:
                self._drop_writer()  # of a file that was replaced, or left in a transaction
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _is_usable(self, connection: C) -> bool:
        """Return whether a connection can be reused, and end its open statements."""
        try:
            driver = connection.driver
            driver.finish()
            is_idle = not driver.in_transaction
        except sqlite3.Error:  # it is closed
            return False
        return is_idle and driver.identity == self._file.identity and self._file.is_unchanged(driver)

    def _check_file(self, written: C | None = None) -> None:
        """Raise an error if the file, or the one of the connection `written`, was replaced."""
        identity = self._file.identity if written is None else written.driver.identity
        if not self._file.is_the_same() or identity != self._file.identity:
            # Later writes went into a file that is no longer reachable: they must not be acknowledged.
            self._readers.dispose()
            raise self._file.gone()
