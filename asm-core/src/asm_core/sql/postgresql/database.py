"""PostgreSQL, whatever the ORM: the append in one statement, and who waits for whom."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from asm_core.concurrency.contexts import contextmanager
from asm_core.errors import StorageError, ValidationError
from asm_core.sql.database import C, Database
from asm_core.sql.dialects import Dialect
from asm_core.sql.failures import is_serialization_failure
from asm_core.sql.options import check_flag
from asm_core.sql.postgresql.append import append_events, restore_events
from asm_core.sql.postgresql.listening import Listener
from asm_core.sql.postgresql.pool import savepoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from asm_core.models import Event
    from asm_core.sql.dialects import Execute
    from asm_core.sql.postgresql.append import Unit
    from asm_core.sql.postgresql.pool import Pooled, PostgreSQLPool

_TRIES: Final = 20
_LONGEST_REST: Final = 0.02
"""Seconds before an append is tried again; a random part of them, so that not all come back at once."""
_BATCHES: Final = "SELECT pg_advisory_xact_lock(72379734, hashtext('asm_sessions'::regclass::oid::text))"
"""One batch of maintenance at a time in these tables; the first number is this project's own."""


class PostgreSQL(Database[C]):
    """PostgreSQL, whose row locks let many write at once."""

    def __init__(self, *, schema: str | None = None, notify: bool = False) -> None:
        """Begin without a connection; with `notify`, tell of appends, and listen while somebody waits for them."""
        super().__init__(Dialect.POSTGRESQL, schema=schema)
        self._notify = check_flag("notify", notify)
        self._listeners: list[Listener] = []

    @contextmanager
    def batch(self) -> Iterator[C]:
        """Give a connection to write with, in one transaction, while nobody else is in such a batch."""
        with self.write() as connection:
            connection.execute_sql(_BATCHES)
            yield connection

    def append(self, events: list[Event]) -> list[Event]:
        """Append events: one statement, committed by itself where no transaction is open."""
        joined = self._current() is not None
        self._check_begun_here()
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

    def change_token(self) -> object:
        """Return None: there is no question cheaper than the counters themselves."""
        return None

    def listening(self, tell: Callable[[str | None], None], /) -> AbstractContextManager[object]:
        """Return a context in which appends of other processes are told of, if that was asked for."""
        self._current()
        return self._listener(tell) if self._notify else nullcontext()

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
        """Close what was opened to listen; an adapter closes the rest of what the backend opened itself."""
        self._closed = True
        for listener in self._listeners.copy():
            listener.end()

    @abstractmethod
    def _connect_alone(self) -> Any:
        """Return a new connection of the driver's, psycopg 3 or psycopg2, which no pool counts or closes."""

    def after_fork(self) -> None:
        """Let go of what is the parent's."""
        super().after_fork()
        self._listeners = []

    def _append(self, statement: Unit, events: list[Event]) -> list[Event]:
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
    def _listener(self, tell: Callable[[str | None], None]) -> Iterator[None]:
        listener = Listener(self._connect_alone, tell)
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            listener.end()

    @contextmanager
    def _execute_alone(self) -> Iterator[Execute]:
        with self._translated, self._reading() as connection:
            yield connection.execute_kept

    @contextmanager
    def _execute_together(self) -> Iterator[Execute]:
        with self.write() as connection:
            yield connection.execute_sql


class OwnPostgreSQL(PostgreSQL[C]):
    """PostgreSQL on connections of the backend's own, whatever the ORM that uses them meanwhile."""

    _pool: PostgreSQLPool
    """An adapter sets it."""

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._pool.close()

    @abstractmethod
    def _on(self, pooled: Pooled, *, alone: bool) -> AbstractContextManager[C]:
        """Give the ORM a connection to work on; `alone`: each statement stands by itself, in no transaction."""

    @contextmanager
    def _reading(self) -> Iterator[C]:
        with self._pool.lend() as pooled, self._on(pooled, alone=not pooled.begins) as connection:
            if pooled.begins:
                with pooled.transaction():
                    yield connection
            else:
                yield connection

    @contextmanager
    def _writing(self) -> Iterator[C]:
        with self._pool.lend() as pooled, self._on(pooled, alone=False) as connection, pooled.transaction():
            yield connection

    def _savepoint(self, connection: C) -> AbstractContextManager[object]:
        if self._is_own():
            return savepoint(connection.execute_sql)
        return super()._savepoint(connection)  # type: ignore[safe-super]  # the ORM's, on a connection of the caller

    def _abandon(self) -> None:
        self._pool.forget()


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
