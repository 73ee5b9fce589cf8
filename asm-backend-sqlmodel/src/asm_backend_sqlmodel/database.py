"""Connections to read and to write with, whatever the database; `sqlite` and `postgresql` know what differs."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, func, literal

from asm_backend_sqlmodel.connection import TableConnection
from asm_backend_sqlmodel.errors import translated
from asm_core import StorageError
from asm_core.sql import Dialect, codec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import ColumnElement, Connection, Engine, Table

    from asm_core import Event

_HALF = 32


class Database(ABC):
    """Hands out connections: to read, and to write in one transaction.

    Attributes:
        dialect: which database it is.
        codec: how its columns hold the fields of models.
        insert: the ORM's INSERT of this database, which has ON CONFLICT.
        schema: where the tables stand; None: where a connection finds them.
    """

    insert: Callable[[Table], Any]

    def __init__(self, engine: Engine, dialect: Dialect, *, schema: str | None = None) -> None:
        """Use an engine, the application's or the backend's own."""
        self.dialect = dialect
        self.schema = schema
        self.codec = codec_of(dialect)
        self._engine = engine
        self._closed = False
        self._process = os.getpid()
        self._joined = threading.local()

    @contextmanager
    def read(self) -> Iterator[TableConnection]:
        """Give a connection to read with; inside a transaction of this thread, that of the transaction."""
        joined = self._current()
        if joined is not None:
            with translated():
                yield TableConnection(joined, self.schema)
        else:
            with translated(), self._reading() as connection:
                yield TableConnection(connection, self.schema)

    @contextmanager
    def write(self) -> Iterator[TableConnection]:
        """Give a connection to write with, in one transaction; inside another one of this thread, in a savepoint."""
        with self.unit() as connection, translated():
            yield TableConnection(connection, self.schema)

    @contextmanager
    def unit(self) -> Iterator[Connection]:
        """Do as `write`, but let errors of what is done inside through as they are: they may be the caller's own."""
        joined = self._current()
        scope = self._own_transaction() if joined is None else self._inner(joined)
        with translated():
            connection = scope.__enter__()
        try:
            yield connection
        except BaseException as error:
            with translated():
                scope.__exit__(type(error), error, error.__traceback__)
            raise
        with translated():
            scope.__exit__(None, None, None)

    @contextmanager
    def _own_transaction(self) -> Iterator[Connection]:
        with self._writing() as connection:
            try:
                self._joined.connection, self._joined.is_own = connection, True
                yield connection
            finally:
                self._joined.connection, self._joined.is_own = None, False

    @contextmanager
    def _inner(self, joined: Connection) -> Iterator[Connection]:
        with self._savepoint(joined):
            yield joined

    @contextmanager
    def bind(self, connection: Connection) -> Iterator[None]:
        """Let this thread read and write on the caller's connection, in the caller's transaction."""
        outer, own = self._current(), self._is_own()
        try:
            self._joined.connection, self._joined.is_own = connection, False
            with translated():
                self._begin(connection)
            yield
        finally:
            self._joined.connection, self._joined.is_own = outer, own

    def batch(self) -> AbstractContextManager[TableConnection]:
        """Give a connection to write with, in one transaction, while nobody else is in such a batch."""
        return self.write()

    @abstractmethod
    def append(self, events: list[Event]) -> list[Event]:
        """Append events as core's protocol says."""

    @abstractmethod
    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""

    @abstractmethod
    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None if that cannot be told."""

    @abstractmethod
    def close(self) -> None:
        """Close what this backend opened itself."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Give a connection for one statement."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Connection]:
        """Give a connection in a transaction of its own."""

    @abstractmethod
    def _savepoint(self, connection: Connection) -> AbstractContextManager[object]:
        """Make what is done inside one unit of the transaction that is open."""

    @abstractmethod
    def _begin(self, connection: Connection) -> None:
        """See to it that a transaction is open on the caller's connection."""

    def _is_own(self) -> bool:
        """Return whether this thread is in a transaction of the backend's own, not in one of the caller's."""
        return getattr(self._joined, "is_own", False)

    def _forked(self) -> None:
        """Let go, in a forked child, of what belongs to the parent: it must not be used."""
        self._engine.dispose(close=False)
        self._process = os.getpid()
        self._joined = threading.local()

    def _current(self) -> Connection | None:
        if self._closed:
            message = "The backend is closed; open it again."
            raise StorageError(message)
        if self._process != os.getpid():
            self._forked()
        return getattr(self._joined, "connection", None)


def exact_sum(value: Any) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return the sums of the high and the low half of 64-bit integers, for `whole_sum` to put together.

    SQLite's SUM refuses a result beyond 64 bits, which a few large costs reach.
    """
    return func.sum(value.op(">>")(literal(_HALF, Integer))), func.sum(value.op("&")((1 << _HALF) - 1))


def whole_sum(high: int | None, low: int | None) -> int:
    """Return the sum whose halves `exact_sum` selected; 0 of no rows."""
    return (int(high or 0) << _HALF) + int(low or 0)
