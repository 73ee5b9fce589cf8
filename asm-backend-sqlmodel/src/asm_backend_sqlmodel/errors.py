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


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver or the ORM raises inside as a `StorageError`."""
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error) as error:
        raise translate(error) from error


def translate(error: Exception) -> StorageError:
    """Return the error of the design for one of the driver's or the ORM's."""
    if isinstance(error, exc.TimeoutError):
        return StorageConnectionError("All connections of the pool are in use; try again, or allow more (readers).")
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return StorageConnectionError(f"The database is busy: {cause}; try again, or raise busy_timeout.")
    if code in _AWAY:
        return StorageConnectionError(f"The database cannot be reached: {cause}; check its file and disk.")
    if code in _ADVICE:
        return StorageError(f"The database refused: {_ADVICE[code]} ({cause}).")
    if isinstance(cause, sqlite3.OperationalError):
        return QueryError(f"The database could not answer: {cause}.")
    return StorageError(f"The database failed: {type(cause).__name__}: {cause}.")
