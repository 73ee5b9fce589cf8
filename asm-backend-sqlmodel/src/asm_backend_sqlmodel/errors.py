"""Driver and ORM errors become errors of `asm_core.errors`, the cause kept."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import exc

from asm_core import QueryError, StorageConnectionError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_AWAY: Final = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}
_ADVICE: Final = {
    sqlite3.SQLITE_READONLY: "the database is read-only; check the permissions of the file and its directory",
    sqlite3.SQLITE_FULL: "the disk, or the database's max_page_count, is full; make room and try again",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a backup",
    sqlite3.SQLITE_TOOBIG: "a value is larger than SQLite holds",
}

# Of PostgreSQL, by SQLSTATE (or its first two letters, the class).
_UNREACHABLE: Final = {"08", "53", "57"}
"""Connections, resources, and what an administrator does."""
_CONTENDED: Final = {"40001", "40P01", "55P03"}
"""Serialization failure, deadlock, a lock that was not to be had."""
_QUESTIONS: Final = {"22", "42"}


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver or the ORM raises inside as a `StorageError`."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, (exc.SQLAlchemyError, sqlite3.Error)) and not _is_of_a_driver(error):
            raise
        raise translate(error) from error


def _is_of_a_driver(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in {"psycopg", "psycopg2"}


def translate(error: Exception) -> StorageError:
    """Return the error of the design for one of the driver's or the ORM's."""
    if isinstance(error, exc.TimeoutError):
        advice = "try again, or allow more (readers, pool_size)"
        return StorageConnectionError(f"All connections of the pool are in use; {advice}.")
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    found = _of_sqlite(cause) if isinstance(cause, sqlite3.Error) else _of_postgresql(error, cause)
    return found or StorageError(f"The database failed: {type(cause).__name__}: {_first_line(cause)}.")


def _of_sqlite(error: sqlite3.Error) -> StorageError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return StorageConnectionError(f"The database is busy: {error}; try again, or raise busy_timeout.")
    if code in _AWAY:
        return StorageConnectionError(f"The database cannot be reached: {error}; check its file and disk.")
    if code in _ADVICE:
        return StorageError(f"The database refused: {_ADVICE[code]} ({error}).")
    if isinstance(error, sqlite3.OperationalError):
        return QueryError(f"The database could not answer: {error}.")
    return None


def _of_postgresql(error: Exception, cause: BaseException) -> StorageError | None:
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    if lost or state[:2] in _UNREACHABLE or (not state and type(cause).__name__ == "OperationalError"):
        return StorageConnectionError(f"The database cannot be reached: {_first_line(cause)}; try again.")
    if state in _CONTENDED:
        return StorageConnectionError(f"The database is contended: {_first_line(cause)}; try again.")
    if state[:2] in _QUESTIONS:
        return QueryError(f"The database could not answer: {_first_line(cause)}.")
    return None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
