"""The dialects, and the protocols of the driver's objects that core uses."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Dialect(StrEnum):
    """An SQL dialect."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Cursor(Protocol):
    """The used part of a cursor of PEP 249."""

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement changed."""

    def fetchall(self) -> list[Any]:
        """Return all rows of the result."""

    def fetchmany(self, size: int, /) -> list[Any]:
        """Return at most `size` further rows of the result."""


class Execute(Protocol):
    """Executes one statement on the ORM's connection, in its open transaction."""

    def __call__(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Execute `sql` with its positional parameters, in the driver's style."""
