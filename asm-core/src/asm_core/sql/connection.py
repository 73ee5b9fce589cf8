"""What core needs of a connection that an ORM holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.sql.dialects import Cursor


class SQLConnection(Protocol):
    """A connection of an ORM's, on which both the ORM's statements and core's own are executed."""

    @property
    def driver(self) -> Any:
        """The driver's connection (PEP 249)."""

    def execute_sql(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Execute a statement of core's, its tables in their schema, in the transaction that is open."""

    def execute_kept(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Do as `execute_sql`, on a cursor that may be kept for this: its rows are to be taken at once."""

    def close(self) -> None:
        """Give the connection back to whoever pools it."""
