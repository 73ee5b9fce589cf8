"""A database, whatever the ORM: connections to read and to write with; `sqlite` and `postgresql` add what differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING, Generic

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.forking import renew_in_child
from asm_core.errors import StorageError
from asm_core.sql.codec import codec_of
from asm_core.sql.connector import C
from asm_core.sql.transactions import OpenTransaction, Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from asm_core.models import Event
    from asm_core.sql.connector import Connector
    from asm_core.sql.dialects import Dialect


class Database(ABC, Generic[C]):
    """Gives connections of its connector: to read, and to write in one transaction, which a thread's calls join.

    Attributes:
        dialect: which database it is.
        codec: how its columns hold the fields of models.
        schema: where the tables stand; None: where a connection finds them.
        transactions: which transaction each thread is in.
    """

    def __init__(self, connector: Connector[C], dialect: Dialect, *, schema: str | None = None) -> None:
        """Begin without a connection."""
        self.dialect = dialect
        self.codec = codec_of(dialect)
        self.schema = schema
        self.transactions = Transactions[C]()
        self._connector = connector
        self._closed = False
        renew_in_child(self)

    @contextmanager
    def read(self) -> Iterator[C]:
        """Give a connection to read with; inside a transaction of this thread, that of the transaction."""
        joined = self._joined()
        with self._connector.errors:
            if joined is not None:
                yield joined
            else:
                with self._statement() as connection:
                    yield connection

    @contextmanager
    def write(self) -> Iterator[C]:
        """Give a connection to write with, in one transaction; inside another one of this thread, in a savepoint."""
        with self._connector.errors, self._transaction_or_savepoint() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[C]:
        """Do as `write`, but raise errors of what is done inside as they are: they may be the caller's own."""
        callers: BaseException | None = None
        try:
            with self._transaction_or_savepoint() as connection:
                try:
                    yield connection
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
    def bind(self, connection: C) -> Iterator[None]:
        """Let this thread read and write on the caller's connection, in the caller's transaction."""
        self._check_open()
        with self.transactions.enter(OpenTransaction(connection, is_own=False)):
            with self._connector.errors:
                connection.join()
            yield

    def batch(self) -> AbstractContextManager[C]:
        """Give a connection to write with, in one transaction, while no other thread is in such a batch."""
        return self.write()

    def make_way(self, seconds: float, /) -> None:
        """Let other writers come first, after a transaction that took so long and before the next one like it."""

    @abstractmethod
    def append(self, events: list[Event]) -> list[Event]:
        """Append events as core's protocol says."""

    @abstractmethod
    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""

    def change_token(self) -> object:
        """Return what changes with each commit of another connection; None: the database has nothing like it."""
        return None

    def check_encoding(self, connection: C) -> None:
        """Refuse a connection over which text does not come back as it was; asks the server nothing.

        Raises:
            ValidationError: its encoding keeps no text.
        """

    def listening(self, _notify: Callable[[str | None], None], /) -> AbstractContextManager[object]:
        """Return a context in which appends of other processes are notified, if they can be; see `SessionStore`."""
        return nullcontext()

    def close(self) -> None:
        """Close what the backend opened itself."""
        self._closed = True
        self._connector.close()

    def after_fork(self) -> None:
        """Leave, in a forked child, to the parent what is its own; the open transaction of this thread too."""
        self.transactions.leave_to_parent()
        self._connector.leave_to_parent()

    # -- what differs --------------------------------------------------------------------------------------------------

    def _statement(self) -> AbstractContextManager[C]:
        """Give a connection for one statement."""
        return self._connector.statement()

    def _new_transaction(self) -> AbstractContextManager[C]:
        """Give a connection in a transaction of its own."""
        return self._connector.transaction()

    @abstractmethod
    def _savepoint(self, connection: C, *, in_own: bool) -> AbstractContextManager[object]:
        """Give a savepoint in the transaction that is open; `in_own`: in one of the backend's, not of the caller."""

    # ------------------------------------------------------------------------------------------------------------------

    def _transaction_or_savepoint(self) -> AbstractContextManager[C]:
        joined = self._joined()
        return self._own_transaction() if joined is None else self._nested(joined)

    @contextmanager
    def _own_transaction(self) -> Iterator[C]:
        check = self.transactions.check_begun_here
        check()
        with (
            self._new_transaction() as connection,
            self.transactions.enter(OpenTransaction(connection, is_own=True)),
        ):
            yield connection
            check()

    @contextmanager
    def _nested(self, joined: C) -> Iterator[C]:
        with self._savepoint(joined, in_own=self.transactions.is_own()):
            yield joined
            self.transactions.check_begun_here()

    def _joined(self) -> C | None:
        """Return the connection of the transaction that this thread is in; None: it is in none."""
        self._check_open()
        transaction = self.transactions.innermost
        return self._connector.callers_transaction() if transaction is None else transaction.connection

    def _check_open(self) -> None:
        if self._closed:
            message = "The backend is closed; open it again."
            raise StorageError(message)
