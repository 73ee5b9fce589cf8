"""Errors of drivers as errors of this project: by the codes of SQLite, and by SQLSTATE, whatever the driver."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from asm_core.errors import QueryError, StorageConnectionError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DRIVERS: Final = {"psycopg", "psycopg2"}

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
_UNPREPARED: Final = (
    StorageError,
    "The database failed: {}; behind a pooler that gives out connections by transaction, set prepare_threshold=0.",
)
_READ_ONLY: Final = (
    StorageConnectionError,
    "The database refused: it is read-only ({}). Try again: the next call connects again, and finds the primary server "
    "where the url leads to it. If it stays so, have default_transaction_read_only set off, or use another url.",
)
_UNTRANSLATABLE: Final = (
    StorageError,
    "The database refused: its encoding cannot hold this text ({}); nothing was stored. "
    "Create the database with ENCODING 'UTF8'.",
)
_CLOSED: Final = "the connection is closed"
"""What psycopg 3 says where the connection was found lost before: its transaction is gone."""
_CLIENT_ENCODING: Final = (
    "The connection's client_encoding cannot hold this text ({}); nothing was sent. Connect with client_encoding=UTF8."
)
_FORGETTING: Final = {"", "25006", "26000", "42P05"}
"""After these another connection finds what this one does not: another server, or one with statements of its own.

So it does after an error that is not the server's: psycopg2 does not always note that the connection is lost.
"""
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
    "26000": _UNPREPARED,  # no such prepared statement
    "42P05": _UNPREPARED,  # there is one of this name
    "25006": _READ_ONLY,
    "22P05": _UNTRANSLATABLE,
    "22021": _UNTRANSLATABLE,
    "42501": (StorageError, "The database refused: a permission is missing; have it granted ({})."),
    "53100": (StorageError, "The database refused: the disk is full; make room and try again ({})."),
    "22": _UNANSWERED,
    "42": _UNANSWERED,
}
"""What a SQLSTATE, or its first two letters, the class, means: which error, and what it says of the driver's words."""


class Translating:
    """A context that raises what is raised inside as a `StorageError`.

    A class, as it stands around each statement, and a generator would take six times as long to get in and out.
    """

    __slots__ = ("_translate",)

    def __init__(self, translate: Callable[[Exception], StorageError | None]) -> None:
        """Use `translate`, which returns None for what is no business of its; a cause that it sets is kept."""
        self._translate = translate

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise the translation, if there is an error and one of it."""
        if isinstance(error, Exception):
            translation = self._translate(error)
            if translation is not None:
                raise translation from translation.__cause__ or error


def is_of_a_driver(error: BaseException) -> bool:
    """Return whether a driver raised `error`; for the name of a host that cannot be, that is a UnicodeError."""
    module = type(error).__module__.partition(".")[0]
    return isinstance(error, (sqlite3.Error, UnicodeError)) or module in _DRIVERS


def translate(error: BaseException, *, is_lost: bool = False) -> StorageError:
    """Return the error of the design for one of a driver's.

    Args:
        error: the driver's.
        is_lost: the ORM found that the connection is lost, should the driver not say so.
    """
    found = _of_sqlite(error) if isinstance(error, sqlite3.Error) else _of_postgresql(error, is_lost=is_lost)
    return found or StorageError(f"The database failed: {type(error).__name__}: {_first_line(error)}.")


def forgets(error: BaseException | None) -> bool:
    """Return whether the connection is to be closed after `error`, a driver's or what became of it."""
    return not _FORGETTING.isdisjoint(_states(error))


def is_serialization_failure(error: BaseException | None) -> bool:
    """Return whether the server undid a transaction because of another one, so that it can be done again."""
    return "40001" in _states(error)


def exhausted() -> StorageConnectionError:
    """Return the error for a pool whose connections are all in use."""
    return StorageConnectionError(
        "All connections of the pool are in use; try again, or allow more (readers, pool_size)."
    )


def undone() -> StorageError:
    """Return the error for a transaction that an error inside it has undone."""
    kind, message = _UNDONE
    return kind(message)


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
    """Return the SQLSTATEs of an error and of those inside it."""
    while error is not None:
        if type(error).__module__.partition(".")[0] in _DRIVERS:
            yield _state(error)
        error = error.__cause__ or getattr(error, "orig", None)


def _state(error: BaseException) -> str:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
