"""The databases, and the little of a driver that core uses."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Dialect(StrEnum):
    """A kind of SQL database."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"

    @property
    def mark(self) -> str:
        """What stands for a parameter in a statement."""
        return "?" if self is Dialect.SQLITE else "%s"

    @property
    def among(self) -> str:
        """What follows a column that must have one of several values, which are one parameter: `encode_several`."""
        return "IN (SELECT value FROM json_each(?))" if self is Dialect.SQLITE else "= ANY(%s::text[])"

    def locking(self, strength: str) -> str:
        """Return what follows a SELECT to lock its rows, where the database has row locks: UPDATE, KEY SHARE."""
        return "" if self is Dialect.SQLITE else f" FOR {strength}"


class Cursor(Protocol):
    """What is used of a cursor of PEP 249."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""

    def fetchall(self) -> list[Any]:
        """Return the rows of the answer."""

    def fetchmany(self, size: int, /) -> list[Any]:
        """Return the next rows of the answer, `size` at the most."""


class Execute(Protocol):
    """Executes one statement over the ORM's own connection, in the transaction that is open there."""

    def __call__(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Execute `sql` with its positional parameters, in the driver's own style."""
