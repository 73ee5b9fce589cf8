"""Translation of driver errors, by the codes of SQLite and by SQLSTATE, for any driver."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from asm_core.errors import MigrationRequiredError, QueryError, StorageConnectionError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DRIVERS: Final = {"asyncpg", "psycopg", "psycopg2"}

_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_AWAY: Final = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}
_ADVICE: Final = {
    sqlite3.SQLITE_READONLY: "the database is read-only; check the permissions of the file and its directory",
    sqlite3.SQLITE_FULL: "the disk or the database (max_page_count) is full; free space and retry",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a backup",
    sqlite3.SQLITE_TOOBIG: "a value exceeds the size limit of SQLite",
}

_LOST: Final = (StorageConnectionError, "The database cannot be reached: {}; check the url, or retry.")
_CONTENDED: Final = (StorageConnectionError, "The database is contended: {}; retry.")
_GAVE_UP: Final = (StorageConnectionError, "The database aborted the operation: {}; retry.")
_UNANSWERED: Final = (QueryError, "The query failed: {}.")
_OTHER_SCHEMA: Final = (
    MigrationRequiredError,
    "The tables are not those of this version of asm-core: {}. The schema was changed or removed after the store was "
    "opened. Nothing was written. Run `asm db status`, and open the store again.",
)
_MISSING: Final = ("no such table: ", "no such column: ", " has no column named ")
"""What SQLite says of a table or a column that does not exist; its code says only that a statement is wrong."""
_UNDONE: Final = (StorageError, "The transaction was rolled back by an error inside it. Leave it and begin a new one.")
_UNPREPARED: Final = (
    StorageError,
    "The database failed: {}; with a transaction pooler, set prepare_threshold=0.",
)
_READ_ONLY: Final = (
    StorageConnectionError,
    "The database is read-only ({}). Retry: the next call connects again, and reaches the primary server if the url "
    "leads to it. If the error persists, set default_transaction_read_only to off, or use another url.",
)
_UNTRANSLATABLE: Final = (
    StorageError,
    "The encoding of the database cannot represent this text ({}). Nothing was stored. "
    "Create the database with ENCODING 'UTF8'.",
)
_CLOSED: Final = "the connection is closed"
"""The message of psycopg 3 for a connection that was already lost, with its transaction."""
_CLIENT_ENCODING: Final = (
    "The client_encoding of the connection cannot represent this text ({}). Nothing was sent. Use client_encoding=UTF8."
)
_FORGETTING: Final = {"", "25006", "26000", "42P05"}
"""After these errors a new connection may succeed: it reaches another server, or has other prepared statements.

The same holds after an error that is not from the server: psycopg2 does not always detect a lost connection.
"""
_OF_POSTGRESQL: Final = {
    "08": _LOST,  # connections
    "53": _LOST,  # resources
    "57": _LOST,  # an administrator
    "58": _LOST,  # the operating system
    "40001": _CONTENDED,  # serialization failure
    "40P01": _CONTENDED,  # deadlock
    "55P03": _CONTENDED,  # a lock that was not available
    "57014": _GAVE_UP,  # a statement that was cancelled
    "25P03": _GAVE_UP,  # an idle transaction
    "25P04": _GAVE_UP,  # a transaction that took too long
    "25P02": _UNDONE,
    "26000": _UNPREPARED,  # unknown prepared statement
    "42P05": _UNPREPARED,  # duplicate prepared statement
    "25006": _READ_ONLY,
    "22P05": _UNTRANSLATABLE,
    "22021": _UNTRANSLATABLE,
    "42501": (StorageError, "A privilege is missing ({}). Grant it to the role."),
    "53100": (StorageError, "The disk is full ({}). Free space and retry."),
    "42P01": _OTHER_SCHEMA,  # undefined table
    "42703": _OTHER_SCHEMA,  # undefined column
    "22": _UNANSWERED,
    "42": _UNANSWERED,
}
"""The error class and message for a SQLSTATE, or for its class, the first two characters."""


class Translating:
    """A context manager that translates exceptions to `StorageError`.

    It is a class because it wraps each statement: a generator would take six times as long to enter and exit.
    """

    __slots__ = ("_translate",)

    def __init__(self, translate: Callable[[Exception], StorageError | None]) -> None:
        """Use `translate`, which returns None for other exceptions; a cause that it sets is kept."""
        self._translate = translate

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise the translation of an exception, if there is one."""
        if isinstance(error, Exception):
            translation = self._translate(error)
            if translation is not None:
                raise translation from translation.__cause__ or error


def is_of_a_driver(error: BaseException) -> bool:
    """Return whether a driver raised `error`; for an invalid host name, that is a UnicodeError."""
    module = type(error).__module__.partition(".")[0]
    return isinstance(error, (sqlite3.Error, UnicodeError)) or module in _DRIVERS


def translate(error: BaseException, *, is_lost: bool = False) -> StorageError:
    """Translate an error of a driver.

    Args:
        error: the error of the driver.
        is_lost: whether the ORM found that the connection is lost.
    """
    found = _of_sqlite(error) if isinstance(error, sqlite3.Error) else _of_postgresql(error, is_lost=is_lost)
    return found or StorageError(f"The database failed: {type(error).__name__}: {_first_line(error)}.")


def forgets(error: BaseException | None) -> bool:
    """Return whether to close the connection after `error`, a driver's error or its translation."""
    return not _FORGETTING.isdisjoint(_states(error))


def is_serialization_failure(error: BaseException | None) -> bool:
    """Return whether the server rolled back a transaction because of another one, so that it can be retried."""
    return "40001" in _states(error)


def exhausted() -> StorageConnectionError:
    """Return the error for a pool whose connections are all in use."""
    return StorageConnectionError(
        "All connections of the pool are in use. Retry, or raise the limit (readers, pool_size)."
    )


def undone() -> StorageError:
    """Return the error for a transaction that an error inside it has rolled back."""
    kind, message = _UNDONE
    return kind(message)


def _of_sqlite(error: sqlite3.Error) -> StorageError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return StorageConnectionError(f"The database is busy: {error}; retry, or raise busy_timeout.")
    if code in _AWAY:
        return StorageConnectionError(f"The database cannot be reached: {error}; check its file and disk.")
    if code in _ADVICE:
        return StorageError(f"The database rejected the operation: {_ADVICE[code]} ({error}).")
    if isinstance(error, sqlite3.OperationalError):
        if any(text in str(error) for text in _MISSING):
            kind, message = _OTHER_SCHEMA
            return kind(message.format(error))
        return QueryError(f"The query failed: {error}.")
    return None


def _of_postgresql(error: BaseException, *, is_lost: bool) -> StorageError | None:
    state = _state(error)
    if isinstance(error, UnicodeEncodeError) and error.encoding != "idna":
        return StorageError(_CLIENT_ENCODING.format(error))
    if str(error) == _CLOSED:
        return undone()
    meaning = _OF_POSTGRESQL.get(state) or _OF_POSTGRESQL.get(state[:2])
    if meaning is None and (is_lost or (not state and type(error).__name__ == "OperationalError")):
        meaning = _LOST
    if meaning is None:
        return None
    kind, message = meaning
    return kind(message.format(_first_line(error)))


def _states(error: BaseException | None) -> Iterator[str]:
    """Return the SQLSTATEs of an error and of its nested errors."""
    while error is not None:
        if type(error).__module__.partition(".")[0] in _DRIVERS:
            yield _state(error)
        error = error.__cause__ or getattr(error, "orig", None)


def _state(error: BaseException) -> str:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
