"""Connections to read and to write with, whatever the ORM; `sqlite` and `postgresql` know what differs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar
from weakref import ref

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.forking import renew_in_child
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


class Scope(Generic[C]):
    """What the calls of a thread join: a transaction, which lasts as long as something refers to this.

    Attributes:
        connection: on which the transaction is open.
        is_own: whether the backend began it, not the caller.
        is_over: whether its context has ended.
    """

    __slots__ = ("__weakref__", "connection", "is_over", "is_own")

    def __init__(self, connection: C, *, is_own: bool) -> None:
        """Let a thread join what is open on `connection`."""
        self.connection = connection
        self.is_own = is_own
        self.is_over = False


class Joined(threading.local, Generic[C]):
    """What the calls of this thread join.

    Attributes:
        reference: to the scope, and no more than that, so that no interruption leaves a thread in what is over.
    """

    reference: ref[Scope[C]] | None = None

    @property
    def scope(self) -> Scope[C] | None:
        """The scope that this thread is in."""
        return None if self.reference is None else self.reference()

    @property
    def connection(self) -> C | None:
        """The connection of that scope."""
        scope = self.scope
        return None if scope is None else scope.connection


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
        self._joined = Joined[C]()
        self._inherited: tuple[int, ref[Scope[C]]] | None = None
        renew_in_child(self)

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
        callers: BaseException | None = None
        try:
            with self._scope() as connection:
                try:
                    yield connection
                except BaseException as error:
                    callers = error
                    raise
        except Exception as error:
            if error is callers:
                raise
            with self._translated:
                raise
        finally:
            del callers

    @contextmanager
    def bind(self, connection: C) -> Iterator[None]:
        """Let this thread read and write on the caller's connection, in the caller's transaction."""
        self._check_open()
        with self._joining(Scope(connection, is_own=False)):
            with self._translated:
                self._begin(connection)
            yield

    def batch(self) -> AbstractContextManager[C]:
        """Give a connection to write with, in one transaction, while nobody else is in such a batch."""
        return self.write()

    def make_way(self, seconds: float, /) -> None:
        """Let other writers come first, after a transaction that took so long and before the next one like it."""

    @abstractmethod
    def append(self, events: list[Event]) -> list[Event]:
        """Append events as core's protocol says."""

    @abstractmethod
    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""

    @abstractmethod
    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None if that cannot be told."""

    def check_encoding(self, connection: C) -> None:
        """Refuse a connection over which text does not come back as it was; asks the server nothing.

        Raises:
            ValidationError: its encoding keeps no text.
        """

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
        self._check_begun_here()
        with self._writing() as connection:
            scope = Scope(connection, is_own=True)
            with self._joining(scope):
                yield connection
                self._check_begun_here()

    @contextmanager
    def _inner(self, joined: C) -> Iterator[C]:
        with self._savepoint(joined):
            yield joined
            self._check_begun_here()

    @contextmanager
    def _joining(self, scope: Scope[C]) -> Iterator[None]:
        # The scope of this thread, not what `_caller` gives: that ends with the caller's transaction.
        outer = self._joined.reference
        try:
            self._joined.reference = ref(scope)
            yield
        finally:
            scope.is_over = True
            self._joined.reference = outer

    def _is_own(self) -> bool:
        """Return whether this thread is in a transaction of the backend's own, not in one of the caller's."""
        scope = self._joined.scope
        return scope is not None and scope.is_own

    def after_fork(self) -> None:
        """Let go, in a forked child, of what is the parent's; the open transaction of this thread too."""
        scope = self._joined.scope
        self._abandon()
        self._joined = Joined[C]()
        if scope is not None:
            self._inherited = threading.get_ident(), ref(scope)

    def _check_begun_here(self) -> None:
        """Refuse to write in, or to commit, a transaction that was begun before the fork.

        Raises:
            StorageError: the transaction that this thread is in is the parent's.
        """
        if self._inherited is None:
            return
        thread, reference = self._inherited
        scope = reference()
        if scope is None or scope.is_over:
            self._inherited = None
        elif thread == threading.get_ident():
            message = (
                "This transaction was begun before the fork and is the parent's: nothing can be written in it here. "
                "Leave its `with` block first, or fork outside."
            )
            raise StorageError(message)

    def _check_open(self) -> None:
        if self._closed:
            message = "The backend is closed; open it again."
            raise StorageError(message)

    def _current(self) -> C | None:
        self._check_open()
        scope = self._joined.scope
        return self._caller() if scope is None else scope.connection
