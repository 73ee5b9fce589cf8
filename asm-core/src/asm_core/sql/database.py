"""Connections to read and to write with, whatever the ORM; `sqlite` and `postgresql` know what differs."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from asm_core.errors import StorageError
from asm_core.sql.codec import codec_of
from asm_core.sql.connection import SQLConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from asm_core.models import Event
    from asm_core.sql.dialects import Dialect
    from asm_core.sql.failures import Translating

C = TypeVar("C", bound=SQLConnection)


class Database(ABC, Generic[C]):
    """Hands out connections: to read, and to write in one transaction, which a thread's further calls join.

    Attributes:
        dialect: which database it is.
        codec: how its columns hold the fields of models.
        schema: where the tables stand; None: where a connection finds them.
    """

    _translated: ClassVar[Translating]
    """An adapter sets it: what the driver or the ORM raises inside becomes a `StorageError`."""

    def __init__(self, dialect: Dialect, *, schema: str | None = None) -> None:
        """Begin without a connection."""
        self.dialect = dialect
        self.codec = codec_of(dialect)
        self.schema = schema
        self._closed = False
        self._process = os.getpid()
        self._joined = threading.local()

    @contextmanager
    def read(self) -> Iterator[C]:
        """Give a connection to read with; inside a transaction of this thread, that of the transaction."""
        joined = self._current()
        with self._translated:
            if joined is not None:
                yield joined
            else:
                with self._reading() as connection:
                    yield connection

    @contextmanager
    def write(self) -> Iterator[C]:
        """Give a connection to write with, in one transaction; inside another one of this thread, in a savepoint."""
        with self._translated, self._scope() as connection:
            yield connection

    @contextmanager
    def unit(self) -> Iterator[C]:
        """Do as `write`, but let errors of what is done inside through as they are: they may be the caller's own."""
        scope = self._scope()
        with self._translated:
            connection = scope.__enter__()
        try:
            yield connection
        except BaseException as error:
            with self._translated:
                scope.__exit__(type(error), error, error.__traceback__)
            raise
        with self._translated:
            scope.__exit__(None, None, None)

    @contextmanager
    def bind(self, connection: C) -> Iterator[None]:
        """Let this thread read and write on the caller's connection, in the caller's transaction."""
        self._current()
        # Not what `_caller` gives: that ends with the caller's transaction.
        outer, own = getattr(self._joined, "connection", None), self._is_own()
        try:
            self._joined.connection, self._joined.is_own = connection, False
            with self._translated:
                self._begin(connection)
            yield
        finally:
            self._joined.connection, self._joined.is_own = outer, own

    def batch(self) -> AbstractContextManager[C]:
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

    def listening(self, _tell: Callable[[str | None], None], /) -> AbstractContextManager[object]:
        """Return a context in which appends of other processes are told of, if they can be; see `SessionStore`."""
        return nullcontext()

    @abstractmethod
    def close(self) -> None:
        """Close what the backend opened itself."""

    # -- what an adapter writes ------------------------------------------------------------------------------------

    @abstractmethod
    def _reading(self) -> AbstractContextManager[C]:
        """Give a connection for one statement."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[C]:
        """Give a connection in a transaction of its own."""

    @abstractmethod
    def _savepoint(self, connection: C) -> AbstractContextManager[object]:
        """Make what is done inside one unit of the transaction that is open."""

    @abstractmethod
    def _begin(self, connection: C) -> None:
        """See to it that a transaction is open on the caller's connection."""

    @abstractmethod
    def _abandon(self) -> None:
        """Let go, in a forked child, of the parent's connections, without closing them."""

    def _caller(self) -> C | None:
        """Return the connection of a transaction that the caller opened in this thread by the ORM's own means."""
        return None

    # ----------------------------------------------------------------------------------------------------------------

    def _scope(self) -> AbstractContextManager[C]:
        joined = self._current()
        return self._own_transaction() if joined is None else self._inner(joined)

    @contextmanager
    def _own_transaction(self) -> Iterator[C]:
        with self._writing() as connection:
            try:
                self._joined.connection, self._joined.is_own = connection, True
                yield connection
            finally:
                self._joined.connection, self._joined.is_own = None, False

    @contextmanager
    def _inner(self, joined: C) -> Iterator[C]:
        with self._savepoint(joined):
            yield joined

    def _is_own(self) -> bool:
        """Return whether this thread is in a transaction of the backend's own, not in one of the caller's."""
        return getattr(self._joined, "is_own", False)

    def _forked(self) -> None:
        self._abandon()
        self._process = os.getpid()
        self._joined = threading.local()

    def _current(self) -> C | None:
        if self._closed:
            message = "The backend is closed; open it again."
            raise StorageError(message)
        if self._process != os.getpid():
            self._forked()
        joined: C | None = getattr(self._joined, "connection", None)
        return self._caller() if joined is None else joined


D = TypeVar("D", bound=Database[Any])


class OnDatabase(Generic[D]):
    """What has a database, which an adapter sets."""

    _database: D
