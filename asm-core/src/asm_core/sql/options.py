"""The options of a database that a backend opens itself, the same for every ORM."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from asm_core.errors import ValidationError, short_repr
from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.named import check_schema
from asm_core.sql.schema.partitions import check_partitions

T = TypeVar("T", "SQLiteOptions", "PostgreSQLOptions")

_SYNCHRONOUS = ("full", "normal")
AUTO, PLAIN = "auto", "plain"
_MOST_CONNECTIONS = 10_000
"""More than any server has; a place for each is made when the backend is opened."""
_LONGEST_WAIT = (1 << 31) // 1000
"""SQLite counts milliseconds in 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLiteOptions:
    """The options of a SQLite file.

    Attributes:
        busy_timeout: seconds that a call waits for another writer, before it raises a retryable error.
        synchronous: ``full`` keeps all acknowledged commits after a power failure; ``normal`` may lose the last ones
            then, is several times as fast, and loses nothing when only the process ends.
        wal_autocheckpoint: the number of pages of the write-ahead log after which they are copied into the file.
        readers: the number of connections for reading.
        private: create the file, and its log files, with the mode 0600, because recorded data may contain secrets.
            False leaves the mode to the umask. The mode of an existing file is never changed.
    """

    busy_timeout: float = 30.0
    synchronous: str = "full"
    wal_autocheckpoint: int = 1000
    readers: int = 8
    private: bool = True

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ValidationError: an option has an invalid value.
        """
        _check_seconds("busy_timeout", self.busy_timeout)
        if self.synchronous not in _SYNCHRONOUS:
            message = f"synchronous must be one of {', '.join(_SYNCHRONOUS)}, not {short_repr(self.synchronous)}."
            raise ValidationError(message)
        _check_integer("wal_autocheckpoint", self.wal_autocheckpoint)
        _check_integer("readers", self.readers, most=_MOST_CONNECTIONS)
        check_flag("private", self.private)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQLOptions:
    """The options of a PostgreSQL connection.

    Attributes:
        pool_size: the largest number of open connections.
        pool_timeout: seconds that a call waits for a connection, before it raises a retryable error.
        connect_timeout: seconds to wait for the server when a connection is opened.
        application_name: the name of these connections in the server's views.
        schema: the schema of the tables; None: that of the connection, usually ``public``.
        prepare_threshold: the number of uses after which a statement is prepared on the server; 0 is never, as
            transaction poolers need it.
        notify: send a NOTIFY with each append; and, while there are waiters, LISTEN on one more connection.
        append: ``auto`` appends in one statement, and plainly to a distributed table; ``plain`` appends with an UPDATE
            and an INSERT for each session, in one transaction, and locks rows of one session at a time.
        read_url: a streaming replica of the database, for the reads of `QueryAPI`, which may then lag; None: the
            primary answers all reads. It has a pool of its own.
        follow_replica: let `follow_events` read from that replica, too.
        partitions: the number of tables into which a migration partitions runs and events, as `Backend.migrate` does.
            It has no effect without `migrate`.
    """

    pool_size: int = 5
    pool_timeout: float = 30.0
    connect_timeout: int = 10
    application_name: str = "asm"
    schema: str | None = None
    prepare_threshold: int = 5
    notify: bool = False
    append: str = AUTO
    read_url: str | None = None
    follow_replica: bool = False
    partitions: int | None = None

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ValidationError: an option has an invalid value.
        """
        _check_integer("pool_size", self.pool_size, most=_MOST_CONNECTIONS)
        _check_integer("connect_timeout", self.connect_timeout)
        _check_integer("prepare_threshold", self.prepare_threshold, least=0)
        _check_seconds("pool_timeout", self.pool_timeout)
        check_flag("notify", self.notify)
        check_append(self.append)
        if check_flag("follow_replica", self.follow_replica) and self.read_url is None:
            message = "follow_replica needs a replica. Give its url as read_url, or leave follow_replica out."
            raise ValidationError(message)
        if self.schema is not None:
            check_schema(self.schema)
        if self.partitions is not None:
            check_partitions(self.partitions, Dialect.POSTGRESQL)
        if not isinstance(self.application_name, str):
            message = f"application_name must be a string, not {short_repr(self.application_name)}."
            raise ValidationError(message)


def chosen(kind: type[T], options: dict[str, Any], *, backend: str) -> T:
    """Return the options of `kind` with the given values.

    Raises:
        ValidationError: an option is unknown, or has an invalid value.
    """
    known = [field.name for field in fields(kind)]
    for option in options:
        if option not in known:
            message = f"The backend {backend!r} has no option {short_repr(option)} for this database. Its options: "
            raise ValidationError(message + f"{', '.join(known)}.")
    return kind(**options)


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is True or False.

    Raises:
        ValidationError: it is another value.
    """
    if not isinstance(value, bool):
        message = f"{name} must be True or False, not {short_repr(value)}."
        raise ValidationError(message)
    return value


def check_append(value: object) -> str:
    """Return `value` if it is a way to append.

    Raises:
        ValidationError: it is another value.
    """
    if not isinstance(value, str) or value not in {AUTO, PLAIN}:
        message = f"append must be one of {AUTO}, {PLAIN}, not {short_repr(value)}."
        raise ValidationError(message)
    return value


def refuse_on_sqlite(schema: object, notify: object, append: object) -> None:
    """Reject options for PostgreSQL, for a SQLite database that an application opened.

    Raises:
        ValidationError: `schema` or `notify` is set, or `append` is not ``auto``.
    """
    if schema is not None:
        message = f"SQLite has no schemas, so the tables cannot be in {short_repr(schema)}. Leave schema out."
        raise ValidationError(message)
    if check_flag("notify", notify):
        message = "SQLite sends no notifications. Leave notify out: waiting readers poll for new events."
        raise ValidationError(message)
    if check_append(append) != AUTO:
        message = f"SQLite appends in one way only. Leave append out, which is {short_repr(append)}."
        raise ValidationError(message)


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_WAIT:
        message = f"{name} must be a number of seconds from 0 to {_LONGEST_WAIT}, not {short_repr(value)}."
        raise ValidationError(message)


def _check_integer(name: str, value: object, *, least: int = 1, most: int = (1 << 31) - 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        limit = f", and at most {most}" if isinstance(value, int) and value > most else ""
        message = f"{name} must be an integer of at least {least}{limit}, not {short_repr(value)}."
        raise ValidationError(message)
