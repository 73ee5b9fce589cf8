"""PostgreSQL, whatever the ORM: the append in one statement, and who waits for whom."""

from __future__ import annotations

import random
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from asm_core.concurrency.contexts import contextmanager
from asm_core.errors import StorageError, ValidationError
from asm_core.sql.connector import C
from asm_core.sql.database import Database
from asm_core.sql.dialects import Dialect
from asm_core.sql.failures import is_serialization_failure
from asm_core.sql.options import check_flag
from asm_core.sql.postgresql.append import append_events, restore_events
from asm_core.sql.postgresql.listening import Listener
from asm_core.sql.schema.named import check_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from asm_core.models import Event
    from asm_core.sql.connector import Connector
    from asm_core.sql.dialects import Execute
    from asm_core.sql.postgresql.append import Executing

_TRIES: Final = 20
_LONGEST_REST: Final = 0.02
"""Seconds before an append is tried again; a random part of them, so that not all come back at once."""
_BATCHES: Final = "SELECT pg_advisory_xact_lock(72379734, hashtext('asm_sessions'::regclass::oid::text))"
"""One batch of maintenance at a time in these tables; the first number is this project's own."""


class PostgreSQL(Database[C]):
    """PostgreSQL, whose row locks let many write at once."""

    def __init__(self, connector: Connector[C], *, schema: str | None = None, notify: bool = False) -> None:
        """Use the connections of `connector`, with the tables in `schema`.

        With `notify`, appends send notifications, and a connection listens for them while a caller waits.

        Raises:
            ValidationError: the schema is no name of one, or `notify` no boolean.
        """
        place = None if schema is None else check_schema(schema)
        super().__init__(connector, Dialect.POSTGRESQL, schema=place)
        self._notify = check_flag("notify", notify)
        self._listeners: list[Listener] = []

    @contextmanager
    def batch(self) -> Iterator[C]:
        """Give a connection to write with, in one transaction, while no other transaction is in such a batch."""
        with self.write() as connection:
            connection.execute_sql(_BATCHES)
            yield connection

    def append(self, events: list[Event]) -> list[Event]:
        """Append events: one statement, committed by itself where no transaction is open."""
        joined = self._joined() is not None
        self.transactions.check_begun_here()
        if joined:
            return self._append(self._execute_together, events)
        try:
            return self._append(self._execute_alone, events)
        except StorageError as error:
            if not is_serialization_failure(error):
                raise
        return self._append_again(events)

    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""
        with self._execute_together() as execute:
            return restore_events(execute, session_id, events, last_sequence, notify=self._notify)

    def listening(self, notify: Callable[[str | None], None], /) -> AbstractContextManager[object]:
        """Return a context in which appends of other processes are notified, with the option `notify`."""
        self._joined()
        return self._listener(notify) if self._notify else nullcontext()

    def check_encoding(self, connection: C) -> None:
        """Refuse a connection whose encoding is none: drivers give bytes there, and take ASCII alone.

        Raises:
            ValidationError: it is an application's, which did not say which encoding it has.
        """
        if connection.driver.info.parameter_status("client_encoding") == "SQL_ASCII":
            message = (
                "The connections of the application have the client_encoding SQL_ASCII, in which no text can be sent "
                "but ASCII. Let the application connect with client_encoding=utf8."
            )
            raise ValidationError(message)

    def close(self) -> None:
        """Close what the backend opened itself, and what it opened to listen."""
        for listener in self._listeners.copy():
            listener.end()
        super().close()

    def after_fork(self) -> None:
        """Leave to the parent what is its own."""
        super().after_fork()
        self._listeners = []

    def _savepoint(self, connection: C, *, in_own: bool) -> AbstractContextManager[object]:
        return self._connector.savepoint(connection, in_own=in_own)

    def _append(self, statement: Executing, events: list[Event]) -> list[Event]:
        return append_events(statement, self._execute_together, events, notify=self._notify)

    def _append_again(self, events: list[Event]) -> list[Event]:
        """Append in transactions, until one is not undone: the isolation of a statement alone is the connection's."""
        for _ in range(_TRIES):
            try:
                return self._append(self._execute_together, events)
            except StorageError as error:
                if not is_serialization_failure(error):
                    raise
            time.sleep(random.uniform(0, _LONGEST_REST))  # noqa: S311  no secret
        return self._append(self._execute_together, events)

    @contextmanager
    def _listener(self, notify: Callable[[str | None], None]) -> Iterator[None]:
        listener = Listener(self._connector.connect_alone, notify)
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            listener.end()

    @contextmanager
    def _execute_alone(self) -> Iterator[Execute]:
        with self._connector.errors, self._connector.statement() as connection:
            yield connection.execute_kept

    @contextmanager
    def _execute_together(self) -> Iterator[Execute]:
        with self.write() as connection:
            yield connection.execute_sql


def give_text(driver: Any, text_loader: type) -> None:
    """Have a connection of psycopg 3 give as text what core's codec decodes: JSON, without loss, and times, faster.

    Args:
        driver: a new connection.
        text_loader: ``psycopg.types.string.TextLoader``; core knows no driver.
    """
    # Where the server writes times in a way of its own, the driver knows it.
    times = ("timestamp",) if driver.info.parameter_status("DateStyle").startswith("ISO") else ()
    for kind in ("json", "jsonb", *times):
        driver.adapters.register_loader(kind, text_loader)
