"""Transactions and savepoints on a connection of the driver's that is in autocommit mode."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asm_core.concurrency.contexts import contextmanager
from asm_core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.sql.connection import SQLConnection


@contextmanager
def immediate(driver: Any) -> Iterator[None]:
    """Make what is executed inside one transaction, which begins as a writer."""
    try:
        driver.execute("BEGIN IMMEDIATE")
        yield
        driver.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.ProgrammingError):  # closed already, and rolled back with that
            if driver.in_transaction:
                driver.execute("ROLLBACK")
        raise


@contextmanager
def savepoint(connection: SQLConnection, *, in_own: bool) -> Iterator[None]:
    """Make what is executed inside a savepoint; `in_own`: of a transaction of the backend's, not of the caller's."""
    driver = connection.driver
    if not driver.in_transaction:
        # A savepoint would be a transaction of its own, and commit by itself.
        if in_own:
            message = "The transaction was undone by an error inside it (a full disk, say); leave it and begin again."
            raise StorageError(message)
        connection.join()
    driver.execute("SAVEPOINT asm_write")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.ProgrammingError):  # closed already, and undone with that
            if driver.in_transaction:
                driver.execute("ROLLBACK TO asm_write")
                # Not while an interrupted statement is referred to; an open savepoint without changes does no harm.
                with suppress(sqlite3.OperationalError):
                    driver.execute("RELEASE asm_write")
        raise
    driver.execute("RELEASE asm_write")
