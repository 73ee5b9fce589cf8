"""PostgreSQL for any ORM: the append in one statement, and the locks of maintenance."""

from __future__ import annotations

import random
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, Self

from asm_core.concurrency.contexts import contextmanager
from asm_core.errors import StorageError, ValidationError
from asm_core.sql.connector import C
from asm_core.sql.database import Database
from asm_core.sql.dialects import Dialect
from asm_core.sql.failures import is_serialization_failure, undone
from asm_core.sql.options import AUTO, PLAIN, check_append, check_flag
from asm_core.sql.postgresql.append import append_events, is_collision, refuse_elsewhere, restore_events
from asm_core.sql.postgresql.append_statements import append_statements
from asm_core.sql.postgresql.listening import Listener
from asm_core.sql.postgresql.pool import is_in_error
from asm_core.sql.queries.words import words_of
from asm_core.sql.schema.named import check_schema
from asm_core.sql.text_search.postgresql import PostgreSQLTexts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from asm_core.models import Event, StoredEvent
    from asm_core.sql.connector import Connector
    from asm_core.sql.dialects import Execute
    from asm_core.sql.options import PostgreSQLOptions
    from asm_core.sql.postgresql.append import Executing

_TRIES: Final = 20
_LONGEST_REST: Final = 0.02
"""Seconds before an append is retried; a random part of them, so that writers do not retry together."""
_BATCHES: Final = "SELECT pg_advisory_xact_lock(72379734, hashtext('{}'::regclass::oid::text))"
"""Serialises batches of maintenance in these tables; the first number is arbitrary."""
_KEYS: Final = (
    "SELECT coalesce((SELECT i.indnkeyatts = 1 FROM pg_index i "
    "WHERE i.indrelid = to_regclass('{}') AND i.indisprimary), true), to_regclass('pg_dist_partition') IS NOT NULL"
)
"""Whether the primary key of events is the id alone, and whether there is a catalog of distributed tables."""
_DISTRIBUTED: Final = "SELECT 1 FROM pg_dist_partition WHERE logicalrelid = to_regclass('{}')"
_SIZE: Final = (
    "pg_total_relation_size('{0}'::regclass) + coalesce((SELECT sum(pg_total_relation_size(t.relid)) "
    "FROM pg_partition_tree('{0}'::regclass) t WHERE t.isleaf AND t.level > 0), 0)"
)
"""The size of a table; a partitioned one is empty itself."""


class PostgreSQL(Database[C]):
    """PostgreSQL, whose row locks allow many concurrent writers."""

    def __init__(
        self, connector: Connector[C], *, schema: str | None = None, notify: bool = False, append: str = AUTO
    ) -> None:
        """Use the connections of `connector`, with the tables in `schema`.

        With `notify`, appends send notifications, and a connection listens for them while a caller waits. `append` is
        that of `PostgreSQLOptions`.

        Raises:
            ValidationError: the schema name is invalid, `notify` is not a boolean, or `append` is unknown.
        """
        place = None if schema is None else check_schema(schema)
        super().__init__(connector, words_of(Dialect.POSTGRESQL, place, singly=check_append(append) == PLAIN))
        self._notify = check_flag("notify", notify)
        self._statements = append_statements(self.words, notify=notify)
        self._listeners: list[Listener] = []

    @classmethod
    def with_options(cls, connector: Connector[C], options: PostgreSQLOptions) -> Self:
        """Use the connections of `connector`, which the backend opens itself, with the options of the caller."""
        database = cls(connector, schema=options.schema, notify=options.notify, append=options.append)
        database.options = options
        return database

    def survey(self) -> None:
        """Read from the catalog whether event ids are unique in the whole table, and whether it is distributed.

        A distributed table gets the plain append.
        """
        events = self.words.events
        with self.read() as connection:
            [(is_global, may_be_distributed)] = connection.execute_sql(_KEYS.format(events)).fetchall()
            distributed = connection.execute_sql(_DISTRIBUTED.format(events)).fetchall() if may_be_distributed else []
        self.has_global_ids = bool(is_global)
        if distributed:
            self.words = words_of(Dialect.POSTGRESQL, self.words.schema, singly=True)
            self._statements = append_statements(self.words, notify=self._notify)

    @contextmanager
    def batch(self, *, is_last: bool = False) -> Iterator[C]:  # noqa: ARG002  see SQLite
        """Provide a connection for writing, in a transaction, while no other transaction is in such a batch."""
        with self.write() as connection:
            connection.execute_sql(_BATCHES.format(self.words.sessions))
            yield connection

    def size(self) -> int:
        """Return the size of the tables and their indexes in bytes."""
        sizes = " + ".join(map(_SIZE.format, self.words.tables.values()))
        with self.read() as connection:
            [(size,)] = connection.execute_sql(f"SELECT {sizes}").fetchall()
        return int(size)

    def _compacting(self) -> Sequence[str]:
        return [f"VACUUM (FULL, ANALYZE) {table}" for table in self.words.tables.values()]

    @property
    def texts(self) -> PostgreSQLTexts:
        """The index of texts."""
        return PostgreSQLTexts(self)

    def append_joined(self, events: list[Event]) -> list[StoredEvent]:
        """Append events in a savepoint."""
        return self._append(self._execute_together, events)

    def append_alone(self, events: list[Event]) -> list[StoredEvent]:
        """Append events in one statement, which is committed by itself."""
        try:
            return self._append(self._execute_alone, events)
        except StorageError as error:
            if not is_serialization_failure(error):
                raise
        return self._append_again(events)

    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store numbered events, inside a transaction; return the number of new events."""
        try:
            with self._execute_together() as execute:
                return restore_events(execute, session_id, events, last_sequence, self._statements)
        except StorageError as error:
            if not is_collision(error):
                raise
            with self._execute_together() as execute:
                refuse_elsewhere(execute, events, self._statements)
            raise

    def listening(self, notify: Callable[[str | None], None], /) -> AbstractContextManager[object]:
        """Return a context in which the server notifies of appends by other processes, with the option `notify`."""
        self._joined()
        return self._listener(notify) if self._notify else nullcontext()

    def check_encoding(self, connection: C) -> None:
        """Reject a connection in SQL_ASCII: drivers return bytes there, and accept only ASCII.

        Raises:
            ValidationError: it is a connection of the application, in SQL_ASCII.
        """
        if connection.driver.info.parameter_status("client_encoding") == "SQL_ASCII":
            message = (
                "The connections of the application have the client_encoding SQL_ASCII, which can only send ASCII. "
                "Connect with client_encoding=utf8."
            )
            raise ValidationError(message)

    def close(self) -> None:
        """Close the backend's own connections, and the one that listens."""
        for listener in self._listeners.copy():
            listener.end()
        super().close()

    def after_fork(self) -> None:
        """Release the parent's resources."""
        super().after_fork()
        self._listeners = []

    @contextmanager
    def _new_transaction(self) -> Iterator[C]:
        with self._connector.transaction() as connection:
            driver = connection.driver
            yield connection
            # PostgreSQL would roll back at the commit, without an error; an ORM may have connected again.
            if is_in_error(connection.driver) or connection.driver is not driver:
                raise undone()

    def _savepoint(self, connection: C, *, in_own: bool) -> AbstractContextManager[object]:
        return self._connector.savepoint(connection, in_own=in_own)

    def _append(self, statement: Executing, events: list[Event]) -> list[StoredEvent]:
        return append_events(statement, self._execute_together, events, self._statements)

    def _append_again(self, events: list[Event]) -> list[StoredEvent]:
        """Append in transactions, until one is not rolled back: a single statement has the connection's isolation."""
        for _ in range(_TRIES):
            try:
                return self._append(self._execute_together, events)
            except StorageError as error:
                if not is_serialization_failure(error):
                    raise
            time.sleep(random.uniform(0, _LONGEST_REST))  # noqa: S311  not a secret
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
    """Make a psycopg 3 connection return values as text for core's codec: JSON, without loss, and times, faster.

    Args:
        driver: a new connection.
        text_loader: ``psycopg.types.string.TextLoader``; core imports no driver.
    """
    # If the server has another DateStyle, the driver decodes times.
    times = ("timestamp",) if driver.info.parameter_status("DateStyle").startswith("ISO") else ()
    for kind in ("json", "jsonb", *times):
        driver.adapters.register_loader(kind, text_loader)
