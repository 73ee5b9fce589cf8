"""The application's asynchronous transaction: core's calls run in a thread, and their statements in the event loop."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from functools import lru_cache
from itertools import count
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

_DRIVERS: Final = frozenset({"aiosqlite", "psycopg", "psycopg_async", "asyncpg"})
"""The drivers that take core's statements."""
_IN_TRANSACTION: Final = 2
"""The state of a libpq connection in a transaction without an error. asyncpg does not report one with an error."""
_MARK: Final = re.compile(r"%%|%s(?:::(\w+(?:\[\])?)|(?= AS (\w+(?:\[\])?)\)))?")
_TYPES: Final[dict[type, str]] = {bool: "boolean", int: "bigint", float: "float8", datetime: "timestamptz"}


class LoopConnection(TableConnection):
    """Executes core's statements on an `AsyncSession` or an `AsyncConnection`, in its event loop.

    The thread of the call waits for each statement, so no lock of core's is waited for in the loop.
    """

    __slots__ = ("_given", "_is_asyncpg", "_loop")

    def __init__(self, given: AsyncSession | AsyncConnection, loop: asyncio.AbstractEventLoop) -> None:
        """Use what the application gave, in its loop."""
        self._given = given
        self._loop = loop
        self.connection = self.in_loop(lambda connection: connection)
        self._is_asyncpg = self.connection.dialect.driver == "asyncpg"
        self._driver = (_Asyncpg if self._is_asyncpg else _Driver)(self)

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
        if self._is_asyncpg:
            sql = _numbered(sql, tuple(map(type, parameters)))
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


class _Asyncpg(_Driver):
    """A connection of asyncpg, with the properties of psycopg that core uses."""

    __slots__ = ()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return bool(self.is_closed())

    @property
    def info(self) -> _Asyncpg:
        """Itself."""
        return self

    @property
    def transaction_status(self) -> int:
        """The state of its transaction, as libpq has it."""
        return _IN_TRANSACTION if self.is_in_transaction() else 0

    def parameter_status(self, name: str) -> str:
        """Return a setting that the server reports."""
        return str(getattr(self.get_settings(), name))


@lru_cache(maxsize=512)
def _numbered(sql: str, kinds: tuple[type, ...]) -> str:
    """Return a statement with the placeholders of asyncpg, for parameters of these types.

    asyncpg encodes a parameter as the type that the server finds for it, and takes no text for a time or an array.
    psycopg sends each with a type, and text without one.
    """
    numbers = count(1)

    def number(mark: re.Match[str]) -> str:
        if mark[0] == "%%":
            return "%"
        place, cast = next(numbers), mark[1]
        kind = kinds[place - 1]
        if kind is str and (cast or mark[2] or "text") != "text":
            return f"${place}::text" + (f"::{cast}" if cast else "")
        cast = cast or _TYPES.get(kind)
        return f"${place}" if cast is None else f"${place}::{cast}"

    return _MARK.sub(number, sql)


def check_driver(driver: str) -> None:
    """Check that an asynchronous driver takes core's statements.

    Raises:
        ValidationError: it does not.
    """
    if driver not in _DRIVERS:
        message = (
            f"bind() does not take connections of the driver {short_repr(driver)}. Use aiosqlite, psycopg or asyncpg."
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
