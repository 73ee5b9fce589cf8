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

_LOST: Final = (StorageConnectionError, "The database cannot be reached: {}; check the url, or try again.")
_CONTENDED: Final = (StorageConnectionError, "The database is contended: {}; try again.")
_GAVE_UP: Final = (StorageConnectionError, "The database gave up: {}; try again.")
_UNANSWERED: Final = (QueryError, "The database could not answer: {}.")
_UNDONE: Final = (StorageError, "The transaction was undone by an error inside it; leave it and begin anew.")
_READ_ONLY: Final = "write to the primary server, or have default_transaction_read_only set off"
_OF_POSTGRESQL: Final = {
    "08": _LOST,  # connections
    "53": _LOST,  # resources
    "57": _LOST,  # an administrator
    "58": _LOST,  # the operating system
    "40001": _CONTENDED,  # serialization failure
    "40P01": _CONTENDED,  # deadlock
    "55P03": _CONTENDED,  # a lock that was not to be had
    "57014": _GAVE_UP,  # a statement that was cancelled
    "25P03": _GAVE_UP,  # an idle transaction
    "25P04": _GAVE_UP,  # a transaction that took too long
    "25P02": _UNDONE,
    "25006": (StorageError, f"The database refused: it is read-only; {_READ_ONLY} ({{}})."),
    "42501": (StorageError, "The database refused: a permission is missing; have it granted ({})."),
    "53100": (StorageError, "The database refused: the disk is full; make room and try again ({})."),
    "22": _UNANSWERED,
    "42": _UNANSWERED,
}
"""What a SQLSTATE, or its first two letters, the class, means: which error, and what it says of the driver's words."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver or the ORM raises inside as a `StorageError`."""
    try:
        yield
    except Exception as error:
        # Drivers raise a UnicodeError for the name of a host that cannot be.
        if not isinstance(error, (exc.SQLAlchemyError, sqlite3.Error, UnicodeError)) and not _is_of_a_driver(error):
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
    meaning = _OF_POSTGRESQL.get(state) or _OF_POSTGRESQL.get(state[:2])
    if isinstance(error, exc.PendingRollbackError):
        meaning = _UNDONE
    elif meaning is None and (_is_lost(error) or (not state and type(cause).__name__ == "OperationalError")):
        meaning = _LOST
    if meaning is None:
        return None
    kind, message = meaning
    return kind(message.format(_first_line(cause)))


def _is_lost(error: Exception) -> bool:
    return isinstance(error, exc.DBAPIError) and error.connection_invalidated


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
