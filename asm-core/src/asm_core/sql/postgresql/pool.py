"""Connections to PostgreSQL that a backend opened itself, lent for a statement or for a transaction.

They are in autocommit mode, and transactions begin with a statement that sets their isolation. Nothing is set in the
session, so that a pooler can use another server connection for each transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic

from asm_core.concurrency.contexts import contextmanager
from asm_core.errors import AsmError
from asm_core.sql.connection import kept_cursor
from asm_core.sql.connector import C
from asm_core.sql.failures import forgets, is_of_a_driver
from asm_core.sql.pool import Pool
from asm_core.sql.postgresql.sockets import leave_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from asm_core.sql.dialects import Execute
    from asm_core.sql.options import PostgreSQLOptions

_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""The isolation that an append needs: it waits for the counter, and continues with the number that it then reads."""
_IDLE, _IN_ERROR = 0, 3
"""The transaction states of libpq and of both drivers."""
_ISOLATION: Final = "SHOW default_transaction_isolation"
_ORMS: Final = {"sqlalchemy", "peewee", "playhouse", "pony"}
_OURS: Final = ("asm_core.", "asm_backend_")
_TRANSACTIONS: Final = {"asm_core.sql.backend", "asm_core.sql.ports.bound"}
"""The modules with a `transaction` of `Ports`."""


class Pooled(Generic[C]):
    """A connection of a pool.

    Attributes:
        connection: the connection of the ORM.
        driver: the driver's connection, psycopg 3 or psycopg2.
        is_settled: whether the last work on it was completed. False while it is lent.
        begins: whether a single statement needs a transaction, because the default isolation is another one.
    """

    def __init__(self, connection: C) -> None:
        """Hold a new connection; query its default isolation once."""
        driver = connection.driver
        leave_in_child(driver)
        self.connection = connection
        self.driver = driver
        self.is_settled = True
        driver.autocommit = True
        self.begins = self.execute(_ISOLATION).fetchone()[0] != "read committed"

    @property
    def is_usable(self) -> bool:
        """Whether it can be lent again."""
        return self.is_settled and not self.driver.closed and _status(self.driver) == _IDLE

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        """Execute a statement on the connection's kept cursor; return the cursor."""
        cursor = kept_cursor(self.driver)
        cursor.execute(sql, parameters or None)
        return cursor

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Execute the body in one transaction."""
        self.execute(_BEGIN)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            _try_to(self.execute, "ROLLBACK")
            raise

    def close(self) -> None:
        """Close it."""
        self.connection.close()


class PostgreSQLPool(Generic[C]):
    """A pool of connections, which keeps no connection in an uncertain state."""

    def __init__(self, connect: Callable[[], C], options: PostgreSQLOptions) -> None:
        """Start without connections; open them with `connect`."""
        self._connect = connect
        self._pool = Pool(
            self._open, size=options.pool_size, timeout=options.pool_timeout, is_usable=lambda pooled: pooled.is_usable
        )
        self.close = self._pool.close
        self.forget = self._pool.forget

    @contextmanager
    def lend(self) -> Iterator[Pooled[C]]:
        """Lend a connection; it is closed afterwards unless the work on it was completed.

        An exception of a signal handler may leave a statement incomplete, or prepared but not recorded. An error of the
        server does not; but after some of them, a new connection may succeed.
        """
        with self._pool.lend() as pooled:
            pooled.is_settled = False
            try:
                yield pooled
            except BaseException as error:
                pooled.is_settled = _is_settled(error)
                raise
            pooled.is_settled = True

    def _open(self) -> Pooled[C]:
        connection = self._connect()
        try:
            return Pooled(connection)
        except BaseException:
            connection.close()
            raise


def is_in_error(driver: Any) -> bool:
    """Return whether an error has aborted the transaction of a connection: its commit would roll back silently."""
    return _status(driver) == _IN_ERROR


@contextmanager
def savepoint(execute: Execute) -> Iterator[None]:
    """Execute the body in a savepoint of the open transaction."""
    execute("SAVEPOINT asm_write")
    try:
        yield
    except BaseException:
        _try_to(execute, "ROLLBACK TO SAVEPOINT asm_write")
        _try_to(execute, "RELEASE SAVEPOINT asm_write")
        raise
    execute("RELEASE SAVEPOINT asm_write")


def _status(driver: Any) -> int:
    """Return the transaction state of libpq."""
    return int(driver.info.transaction_status)


def _try_to(execute: Execute, sql: str) -> None:
    try:
        execute(sql)
    except Exception as error:
        if not _is_of_the_database(error):
            raise
        # The connection is lost or inside a statement, and so is the transaction: the pool closes it.


def _is_settled(error: BaseException) -> bool:
    if _is_of_the_database(error):
        return not forgets(error)
    return _is_of_the_caller(error)


def _is_of_the_database(error: BaseException) -> bool:
    module = type(error).__module__.partition(".")[0]
    return isinstance(error, AsmError) or is_of_a_driver(error) or module in _ORMS


def _is_of_the_caller(error: BaseException) -> bool:
    """Return whether `error` was raised inside `Ports.transaction()`, and not in a call of ours there.

    Then our last frame is that of `transaction`, and others follow.
    """
    trace, last = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith(_OURS):
            last = trace
        trace = trace.tb_next
    if last is None or last.tb_next is None:
        return False
    return last.tb_frame.f_code.co_name == "transaction" and last.tb_frame.f_globals["__name__"] in _TRANSACTIONS
