"""PostgreSQL, whatever the ORM: the append in one statement, and who waits for whom."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from asm_core.sql.append_postgresql import append_events, restore_events
from asm_core.sql.database import C, Database
from asm_core.sql.dialects import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.models import Event
    from asm_core.sql.dialects import Execute

_BATCHES: Final = "SELECT pg_advisory_xact_lock(72379734, hashtext('asm_sessions'::regclass::oid::text))"
"""One batch of maintenance at a time in these tables; the first number is this project's own."""


class PostgreSQL(Database[C]):
    """PostgreSQL, whose row locks let many write at once."""

    def __init__(self, *, schema: str | None = None) -> None:
        """Begin without a connection."""
        super().__init__(Dialect.POSTGRESQL, schema=schema)

    @contextmanager
    def batch(self) -> Iterator[C]:
        """Give a connection to write with, in one transaction, while nobody else is in such a batch."""
        with self.write() as connection:
            connection.execute_sql(_BATCHES)
            yield connection

    def append(self, events: list[Event]) -> list[Event]:
        """Append events: one statement, committed by itself where no transaction is open."""
        statement = self._execute_alone if self._current() is None else self._execute_together
        return append_events(statement, self._execute_together, events)

    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""
        with self._execute_together() as execute:
            return restore_events(execute, session_id, events, last_sequence)

    def change_token(self) -> object:
        """Return None: there is no question cheaper than the counters themselves."""
        return None

    @contextmanager
    def _execute_alone(self) -> Iterator[Execute]:
        with self.read() as connection:
            yield connection.execute_sql

    @contextmanager
    def _execute_together(self) -> Iterator[Execute]:
        with self.write() as connection:
            yield connection.execute_sql
