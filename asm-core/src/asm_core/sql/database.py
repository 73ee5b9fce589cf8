"""A database for any ORM: connections for reading and writing; `sqlite` and `postgresql` derive from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, Self

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.forking import renew_in_child
from asm_core.concurrency.transactions import Transactions, loop_runs
from asm_core.errors import StorageError
from asm_core.sql.connector import C
from asm_core.sql.transactions import CallersTransaction, SQLTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from asm_core.models import Event, StoredEvent
    from asm_core.sql.connector import Connector
    from asm_core.sql.options import PostgreSQLOptions
    from asm_core.sql.queries.words import Words
    from asm_core.sql.text_search.index import Texts


class _Life:
    """The state that a database and those bound to its transactions share."""

    is_closed = False


class Database(ABC, Generic[C]):
    """Provides its connector's connections for reading, and for writing in a transaction that a thread's calls join.

    Attributes:
        words: the syntax of its dialect, and the names of the tables.
        codec: converts models to rows and back.
        transactions: the open transactions.
        has_global_ids: whether an event id names one event of the store, and not only of its session; see `survey`.
        backend_name: the name of the backend in errors.
        options: the options of a PostgreSQL server that the backend connects to itself; otherwise None.
    """

    has_global_ids = True
    backend_name = ""
    options: PostgreSQLOptions | None = None

    def __init__(self, connector: Connector[C], words: Words) -> None:
        """Start without a connection."""
        self.words = words
        self.codec = words.codec
        self.transactions = Transactions[SQLTransaction[C]]()
        self._connector = connector
        self._life = _Life()
        renew_in_child(self)

    @property
    def connections(self) -> int:
        """The number of connections that can be in use at the same time."""
        return self._connector.size

    @property
    def appends_at_once(self) -> int:
        """The number of appends that can be written at the same time."""
        return self.connections

    @contextmanager
    def read(self) -> Iterator[C]:
        """Provide a connection for reading; inside a transaction that the call joins, that of the transaction."""
        joined = self._joined()
        with self._connector.errors:
            if joined is None:
                with self._statement() as connection:
                    yield connection
            else:
                with joined.lock:
                    joined.check_open()
                    yield joined.connection

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Execute one statement that reads, as `read` does, and return all its rows: for a few rows, fastest."""
        if self.is_joined():
            with self.read() as connection:
                return connection.execute_sql(sql, parameters).fetchall()
        with self._connector.errors, self._statement() as connection:
            return connection.execute_sql(sql, parameters).fetchall()

    @contextmanager
    def write(self) -> Iterator[C]:
        """Provide a connection for writing, in a transaction; inside another one, in a savepoint."""
        joined = self._joined()
        with self._connector.errors:
            if joined is None:
                with self._own_transaction(is_call=True) as transaction:
                    yield transaction.connection
            else:
                with joined.lock:
                    joined.check_open()
                    with self._savepoint(joined.connection, in_own=joined.is_own):
                        yield joined.connection
                        self.transactions.check_begun_here()

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """Provide a database whose calls join one transaction, in any thread; inside another one, in a savepoint.

        Errors of the body are not translated: they may belong to the caller.
        """
        callers: BaseException | None = None
        joined = self._joined()
        try:
            with self._own_transaction() if joined is None else self._nested(joined) as transaction:
                try:
                    yield self._bound_to(transaction)
                except BaseException as error:
                    callers = error
                    raise
        except Exception as error:
            if error is callers:
                raise
            with self._connector.errors:
                raise
        finally:
            del callers

    @contextmanager
    def bind(self, connect: Callable[[], C]) -> Iterator[Self]:
        """Provide a database whose calls join the caller's transaction, on the connection that `connect` returns.

        `connect` is called by the first call, and so is `SQLConnection.join`.
        """
        with self._bind(CallersTransaction(connect, lambda _, connection: connection.join())) as bound:
            yield bound

    def batch(self, *, is_last: bool = False) -> AbstractContextManager[C]:  # noqa: ARG002  see SQLite
        """Provide a connection for writing, in a transaction, while no other thread is in such a batch.

        `is_last`: no other batch follows, so that other writers need no pause.
        """
        return self.write()

    def make_way(self, seconds: float, /) -> None:
        """Yield to other writers between two transactions, for the duration of the last one."""

    def is_joined(self) -> bool:
        """Return whether a read joins an open transaction."""
        return self._joined() is not None

    def joins(self) -> bool:
        """Return whether an append joins an open transaction.

        Raises:
            StorageError: it must not join the one that is open, or would have to wait for its own thread.
        """
        joined = self._joined() is not None
        self.transactions.check_begun_here()
        return joined

    @property
    @abstractmethod
    def texts(self) -> Texts:
        """The index of texts."""

    @abstractmethod
    def append_joined(self, events: list[Event]) -> list[StoredEvent]:
        """Append events by core's protocol, in the open transaction."""

    @abstractmethod
    def append_alone(self, events: list[Event]) -> list[StoredEvent]:
        """Append events by core's protocol, in a transaction of their own."""

    @abstractmethod
    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store numbered events, inside a transaction; return the number of new events."""

    @abstractmethod
    def size(self) -> int:
        """Return the size of the tables in bytes."""

    def compact(self) -> None:
        """Rewrite the tables without unused space.

        Raises:
            StorageError: a transaction is open.
        """
        if self._joined() is not None:
            message = "compact() cannot run in a transaction. Call it after the transaction ends."
            raise StorageError(message)
        self.execute_alone(self._compacting())

    def execute_alone(self, statements: Sequence[str]) -> None:
        """Execute statements, each outside of transactions."""
        with self._connector.errors, self._connector.statement() as connection:
            for statement in statements:
                connection.execute_sql(statement)

    @abstractmethod
    def _compacting(self) -> Sequence[str]:
        """Return the statements that rewrite the tables, each outside of transactions."""

    def finish_erasure(self) -> bool:
        """Remove copies of removed rows from the database's files; return whether none remains."""
        return True

    def survey(self) -> None:
        """Read from the database how its tables are laid out, where that may differ."""

    def change_token(self) -> object:
        """Return a value that changes with each commit of another connection; None if the database has none."""
        return None

    def check_encoding(self, connection: C) -> None:
        """Reject a connection that would not return text unchanged; does not contact the server.

        Raises:
            ValidationError: its encoding cannot represent text.
        """

    def listening(self, _notify: Callable[[str | None], None], /) -> AbstractContextManager[object]:
        """Return a context in which the store notifies of appends by other processes; see `SessionStore`."""
        return nullcontext()

    def close(self) -> None:
        """Close the connections that the backend opened itself."""
        self._life.is_closed = True
        self._connector.close()

    def after_fork(self) -> None:
        """Release the parent's resources in a forked child, also the open transaction of this thread."""
        self.transactions.leave_to_parent()
        self._connector.leave_to_parent()

    def _statement(self) -> AbstractContextManager[C]:
        """Provide a connection for one statement."""
        return self._connector.statement()

    def _new_transaction(self) -> AbstractContextManager[C]:
        """Provide a connection in a new transaction."""
        return self._connector.transaction()

    @abstractmethod
    def _savepoint(self, connection: C, *, in_own: bool) -> AbstractContextManager[object]:
        """Provide a savepoint in the open transaction; `in_own`: in one of the backend, not of the caller."""

    def _share(self, transaction: SQLTransaction[C]) -> None:
        """Let other threads continue a transaction of the backend."""

    @contextmanager
    def _bind(self, transaction: CallersTransaction[C]) -> Iterator[Self]:
        self._check_open()
        with self.transactions.enter(transaction):
            yield self._bound_to(transaction)

    @contextmanager
    def _own_transaction(self, *, is_call: bool = False) -> Iterator[SQLTransaction[C]]:
        check = self.transactions.check_begun_here
        check()
        with self._new_transaction() as connection:
            transaction = SQLTransaction(connection, is_own=True, is_call=is_call)
            if not is_call:
                self._share(transaction)
            with self.transactions.enter(transaction):
                yield transaction
                check()

    @contextmanager
    def _nested(self, joined: SQLTransaction[C]) -> Iterator[SQLTransaction[C]]:
        with joined.lock:  # calls of other threads have ended
            joined.check_open()
            connection = joined.connection
        with self._savepoint(connection, in_own=joined.is_own):
            transaction = SQLTransaction(connection, is_own=joined.is_own, outer=joined)
            with self.transactions.enter(transaction):
                yield transaction
                self.transactions.check_begun_here()

    def _bound_to(self, transaction: SQLTransaction[C]) -> Self:
        bound = copy(self)
        bound.transactions = self.transactions.bound_to(transaction)
        return bound

    def _joined(self) -> SQLTransaction[C] | None:
        """Return the transaction that a call joins; None without one."""
        self._check_open()
        joined = self.transactions.current()
        if joined is not None:
            return joined
        connection = self._connector.callers_transaction()
        if connection is None:
            return None
        if loop_runs():
            message = (
                "The application has a transaction open in this thread, where an event loop runs: it may be that of "
                "another task. Pass it to bind(), and use the ports that bind() yields."
            )
            raise StorageError(message)
        return SQLTransaction(connection, is_own=False)

    def _check_open(self) -> None:
        if self._life.is_closed:
            message = "The backend is closed. Open it again."
            raise StorageError(message)
