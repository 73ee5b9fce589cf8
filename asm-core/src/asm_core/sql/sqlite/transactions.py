"""Transactions and savepoints on a driver's connection in autocommit mode."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asm_core.concurrency.contexts import contextmanager
from asm_core.sql.failures import undone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.sql.connection import SQLConnection


@contextmanager
def immediate(driver: Any) -> Iterator[None]:
    """Execute the body in one transaction, which begins as a writer."""
    try:
        driver.execute("BEGIN IMMEDIATE")
        yield
        driver.execute("COMMIT")
    except BaseException:
        undo(driver)
        raise


def undo(driver: Any) -> None:
    """Roll back the open transaction of a connection; without one, this is a no-op."""
    with suppress(sqlite3.ProgrammingError):  # closed already, and rolled back with that
        if driver.in_transaction:
            driver.execute("ROLLBACK")


def become_writer(driver: Any, *, waits: bool = True) -> bool:
    """Make the open transaction of a connection the writer; return False if there is another one.

    Without `waits` the answer comes at once, and otherwise after the connection's busy timeout.
    """
    [(patience,)] = driver.execute("PRAGMA busy_timeout").fetchall()
    try:
        if not waits:
            driver.execute("PRAGMA busy_timeout = 0").fetchall()
        driver.execute("UPDATE asm_sessions SET id = id WHERE 0")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            return True  # the call itself reports what is wrong
        if waits:
            raise
        return False
    finally:
        if not waits:
            driver.execute(f"PRAGMA busy_timeout = {patience}").fetchall()
    return True


@contextmanager
def savepoint(connection: SQLConnection, *, in_own: bool) -> Iterator[None]:
    """Execute the body in a savepoint; `in_own`: of a transaction of the backend, not of the caller."""
    driver = connection.driver
    if not driver.in_transaction:
        # A savepoint would be a transaction itself, and commit.
        if in_own:
            raise undone()
        connection.join()
    driver.execute("SAVEPOINT asm_write")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.ProgrammingError):  # already closed, which rolls back
            if driver.in_transaction:
                driver.execute("ROLLBACK TO asm_write")
                # Not while an interrupted statement is referenced; an open savepoint without changes is harmless.
                with suppress(sqlite3.OperationalError):
                    driver.execute("RELEASE asm_write")
        raise
    driver.execute("RELEASE asm_write")
