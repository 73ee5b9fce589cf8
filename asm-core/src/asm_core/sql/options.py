"""The options of a database that a backend opens itself: the same for every ORM."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from asm_core.errors import ValidationError, shown
from asm_core.sql.schema.named import check_schema

T = TypeVar("T", "SQLiteOptions", "PostgreSQLOptions")

_SYNCHRONOUS = ("full", "normal")
_LONGEST_WAIT = (1 << 31) // 1000
"""SQLite counts milliseconds, in 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLiteOptions:
    """How to open a SQLite file.

    Attributes:
        busy_timeout: how many seconds a call waits for another writer before it fails with a retryable error.
        synchronous: ``full`` keeps what was acknowledged even when the power fails; ``normal`` may then lose the last
            commits, is several times as fast, and keeps everything when only the process dies.
        wal_autocheckpoint: after how many pages of the write-ahead log they are copied into the file.
        readers: how many connections read at the same time.
        private: give a file that is made, and those beside it, the mode 0600: what is recorded may hold secrets. False
            leaves the mode to the umask. The mode of a file that is there is never changed.
    """

    busy_timeout: float = 30.0
    synchronous: str = "full"
    wal_autocheckpoint: int = 1000
    readers: int = 8
    private: bool = True

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ValidationError: one has a value that makes no sense.
        """
        _check_seconds("busy_timeout", self.busy_timeout)
        if self.synchronous not in _SYNCHRONOUS:
            message = f"synchronous must be one of {', '.join(_SYNCHRONOUS)}, not {shown(self.synchronous)}."
            raise ValidationError(message)
        _check_integer("wal_autocheckpoint", self.wal_autocheckpoint)
        _check_integer("readers", self.readers)
        check_flag("private", self.private)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQLOptions:
    """How to connect to PostgreSQL.

    Attributes:
        pool_size: how many connections are open at the most.
        pool_timeout: how many seconds a call waits for one of them before it fails with a retryable error.
        connect_timeout: how many seconds to wait for the server when a connection is opened.
        application_name: what the server's own views call these connections.
        schema: the schema in which the tables stand; None: the one that a connection has, usually ``public``.
        prepare_threshold: after how many uses a statement is prepared on the server; 0 is never, as poolers want it
            that give out connections by transaction.
        notify: tell of each append by NOTIFY; and, while somebody waits, listen on one connection more.
    """

    pool_size: int = 5
    pool_timeout: float = 30.0
    connect_timeout: int = 10
    application_name: str = "asm"
    schema: str | None = None
    prepare_threshold: int = 5
    notify: bool = False

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ValidationError: one has a value that makes no sense.
        """
        _check_integer("pool_size", self.pool_size)
        _check_integer("connect_timeout", self.connect_timeout)
        _check_integer("prepare_threshold", self.prepare_threshold, least=0)
        _check_seconds("pool_timeout", self.pool_timeout)
        check_flag("notify", self.notify)
        if self.schema is not None:
            check_schema(self.schema)
        if not isinstance(self.application_name, str):
            message = f"application_name must be a string, not {shown(self.application_name)}."
            raise ValidationError(message)


def chosen(kind: type[T], options: dict[str, Any], *, backend: str) -> T:
    """Return the options of `kind` with those that a user has chosen.

    Raises:
        ValidationError: there is no such option, or it has a value that makes no sense.
    """
    known = [field.name for field in fields(kind)]
    for option in options:
        if option not in known:
            message = f"The backend {backend!r} has no option {shown(option)} for this database. It has: "
            raise ValidationError(message + f"{', '.join(known)}.")
    return kind(**options)


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is True or False.

    Raises:
        ValidationError: it is neither.
    """
    if not isinstance(value, bool):
        message = f"{name} must be True or False, not {shown(value)}."
        raise ValidationError(message)
    return value


def refuse_on_sqlite(schema: object, notify: object) -> None:
    """Refuse what only PostgreSQL has, for a SQLite database that an application opened.

    Raises:
        ValidationError: `schema` or `notify` is set.
    """
    if schema is not None:
        message = f"SQLite has no schemas, so that the tables cannot stand in {shown(schema)}; leave schema out."
        raise ValidationError(message)
    if check_flag("notify", notify):
        message = "SQLite sends no notifications; leave notify out: waiting readers poll for new events."
        raise ValidationError(message)


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_WAIT:
        message = f"{name} must be a number of seconds from 0 to {_LONGEST_WAIT}, not {shown(value)}."
        raise ValidationError(message)


def _check_integer(name: str, value: object, *, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 1 << 31:
        message = f"{name} must be an integer of at least {least}, not {shown(value)}."
        raise ValidationError(message)
