"""The application's asynchronous transaction: core's calls run in a thread, and their statements in the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from asm_backend_sqlmodel.connection import TableConnection
from asm_core import ValidationError
from asm_core.concurrency.contexts import contextmanager
from asm_core.errors import short_repr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

_DRIVERS: Final = frozenset({"aiosqlite", "psycopg", "psycopg_async"})
"""The drivers that take core's statements; asyncpg has other placeholders and types."""


class LoopConnection(TableConnection):
    """Executes core's statements on an `AsyncSession` or an `AsyncConnection`, in its event loop.

    The thread of the call waits for each statement, so no lock of core's is waited for in the loop.
    """

    __slots__ = ("_given", "_loop")

    def __init__(self, given: AsyncSession | AsyncConnection, loop: asyncio.AbstractEventLoop) -> None:
        """Use what the application gave, in its loop."""
        self._given = given
        self._loop = loop
        self.connection = self.in_loop(lambda connection: connection)
        self._driver = _Driver(self)

    def in_loop(self, work: Callable[[Connection], T]) -> T:
        """Call `work` with SQLAlchemy's synchronous connection, and wait for its result."""
        given = self._given

        async def run() -> T:
            if isinstance(given, AsyncSession):
                return await given.run_sync(lambda session: work(session.connection()))
            return await given.run_sync(work)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Execute the body in a SQLAlchemy savepoint."""
        nested = self.in_loop(lambda connection: connection.begin_nested())
        try:
            yield
        except BaseException:
            self.in_loop(lambda _: nested.rollback())
            raise
        self.in_loop(lambda _: nested.commit())

    def join(self) -> None:
        """Begin a transaction on SQLite; on PostgreSQL it begins with the first statement."""
        self.in_loop(lambda _: TableConnection.join(self))

    def is_observed(self) -> bool:
        """Return True: SQLAlchemy executes all statements."""
        return True

    def execute_observed(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Execute a statement of core's by SQLAlchemy; the adapted cursor has all rows."""
        return self.in_loop(lambda _: TableConnection.execute_observed(self, sql, parameters))


class _Driver:
    """What core uses of a driver's connection."""

    __slots__ = ("_of",)

    def __init__(self, of: LoopConnection) -> None:
        self._of = of

    def execute(self, sql: str) -> Any:
        """Execute a statement, with the errors of the driver."""
        return self._of.in_loop(lambda connection: connection.connection.dbapi_connection.execute(sql))  # type: ignore[union-attr]

    def __getattr__(self, name: str) -> Any:
        """Return a property of the asynchronous driver's connection, such as `in_transaction` or `info`."""
        return getattr(self._of.connection.connection.driver_connection, name)


def check_driver(driver: str) -> None:
    """Check that an asynchronous driver takes core's statements.

    Raises:
        ValidationError: it does not.
    """
    if driver not in _DRIVERS:
        message = (
            f"bind() does not take connections of the driver {short_repr(driver)}. Use aiosqlite, or psycopg, with a "
            "URL that begins with postgresql+psycopg://."
        )
        raise ValidationError(message)


def joining_loop(given: AsyncSession | AsyncConnection) -> Callable[[], TableConnection]:
    """Return what makes a `TableConnection`, to be called in another thread than that of the event loop."""
    loop = _running()

    def connect() -> TableConnection:
        if loop is None or _running() is loop:
            message = (
                f"The {type(given).__name__} is for asyncio. Bind it with ``async with asm_core.aio.wrap(backend)"
                ".bind(...)``, and await the calls of the ports."
            )
            raise ValidationError(message)
        return LoopConnection(given, loop)

    return connect


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
