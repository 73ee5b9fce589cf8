"""A replica of a PostgreSQL server: it answers reads that may lag, and the primary answers where it does not."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from asm_core import logs
from asm_core.errors import AsmError, QueryError, StorageConnectionError, StorageError, ValidationError
from asm_core.querying.lagging import LaggingReader
from asm_core.sql.failures import is_serialization_failure
from asm_core.sql.ports.reader import SQLReader
from asm_core.sql.schema.migrator import check_version, schema_version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from asm_core.models import StoredEvent
    from asm_core.querying.heads import Head
    from asm_core.querying.queries import EventQuery
    from asm_core.sql.database import Database
    from asm_core.sql.queries import Statement

T = TypeVar("T")

PAUSE: Final = 10.0
"""Seconds between two checks of the replica, and for which it is not used after an error."""
LONGEST_LAG: Final = 5.0
"""Seconds for which a health check waits until the replica has replayed what the primary has written."""
CONNECT_TIMEOUT: Final = 3
"""The longest time, in seconds, to wait for a connection to the replica: a read waits that long, once per pause."""
_REST: Final = 0.02

_IDENTITY: Final = (
    "SELECT (pg_control_system()).system_identifier, current_database()::text, "
    "(SELECT relnamespace::bigint FROM pg_class WHERE oid = to_regclass('{}')), "  # partitioning makes new tables
    "pg_is_in_recovery(), pg_postmaster_start_time()::text"
)
_WRITTEN: Final = "SELECT pg_current_wal_lsn()::text"
_BEHIND: Final = "SELECT greatest(0, pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn()))::bigint"


class _Identity(NamedTuple):
    """What a connection leads to; a physical replica has the first three of its primary."""

    system: int
    database: str
    schema: int | None
    is_standby: bool
    started: str


class Replica(LaggingReader):
    """Asks a replica, unless the caller is in a transaction or the replica failed a moment ago."""

    def __init__(self, primary: Database[Any], replica: Database[Any]) -> None:
        """Read from `replica`. It is checked at the first read."""
        self._primary = primary
        self._replica = replica
        self._reader = SQLReader(replica)
        self._known: _Identity | None = None
        self._due = 0.0
        self._is_away = False

    def answer(self, statement: Statement, decode: Callable[[list[Any]], Sequence[T]]) -> list[T] | None:
        """Return the decoded rows of a statement; None: the primary has to answer."""
        return self._ask(lambda: self._reader.answer(statement, decode))

    def find_events(self, query: EventQuery) -> list[StoredEvent] | None:
        """Return the events that match `query`."""
        return self._ask(lambda: self._reader.find_events(query))

    def load_heads(self, session_ids: Collection[str]) -> dict[str, Head] | None:
        """Return the head of each session's log; unknown sessions are left out."""
        return self._ask(lambda: self._reader.load_heads(session_ids))

    def open(self) -> None:
        """Check the replica. If it cannot be reached, it is not used for a while.

        Raises:
            ValidationError: it is not a replica of the primary's database.
        """
        self._replica.words = self._primary.words  # with the layout of the tables
        self._reader = SQLReader(self._replica)
        self._due = time.monotonic() + PAUSE
        try:
            self.check()
        except StorageError as error:
            self._leave(error)

    def check_before_migration(self) -> None:
        """Check that the replica is one of the primary, if it can be reached.

        Raises:
            ValidationError: it is another database.
        """
        with suppress(StorageError):
            self._check_place()

    def check(self) -> None:
        """Check that the replica is one of the primary, which may be stopped, and that it has the tables.

        Raises:
            ValidationError: it is another database.
            StorageError: it cannot be reached, was promoted, or has not replayed the migrations.
        """
        self._check_place()
        with self._replica.read() as connection:
            check_version(schema_version(connection.execute_sql, self._replica.words), store="The replica")

    def faults(self) -> list[str]:
        """Return the faults of the replica, for a health check: it fails, or it lags."""
        try:
            self.check()
            behind = self._behind()
        except AsmError as error:
            return [f"The replica at read_url is not used: {error.message}"]
        if behind:
            return [f"The replica at read_url is {behind} bytes of WAL behind the primary of {LONGEST_LAG:g} s ago."]
        return []

    def close(self) -> None:
        """Close the connections to the replica."""
        self._replica.close()

    def _ask(self, question: Callable[[], T]) -> T | None:
        if self._primary.is_joined():
            return None
        now = time.monotonic()
        is_due = now >= self._due
        if self._is_away and not is_due:
            return None
        try:
            if is_due:
                self._due = now + PAUSE  # of several threads, one checks
                self.check()
                self._come_back()
            return question()
        except (StorageError, ValidationError) as error:
            # The primary answers, with the same error if the replica is not the reason.
            if not isinstance(error, QueryError) and not is_serialization_failure(error):
                self._leave(error)
            return None

    def _check_place(self) -> None:
        found, primary = self._identity(self._replica), self._primary_now()
        if primary is not None and found[:2] != primary[:2]:
            message = (
                "read_url does not lead to a replica of the database at url: its server or its database is another "
                "one. Give the url of a streaming replica, with the same database."
            )
            raise ValidationError(message)
        if primary is not None and found.schema not in {None, primary.schema}:
            message = "read_url leads to the tables of another schema than url. Give both urls the same search_path."
            raise ValidationError(message)
        if not found.is_standby and (primary is None or found.started != primary.started):
            message = "The server at read_url is a primary, and not that at url: was it promoted? Change the urls."
            raise StorageConnectionError(message)

    def _leave(self, error: AsmError) -> None:
        self._due = time.monotonic() + PAUSE
        was_away, self._is_away = self._is_away, True
        if not was_away:
            logs.warning("replica", "replica not used", code=error.code, reason=error.message, pause=PAUSE)

    def _come_back(self) -> None:
        was_away, self._is_away = self._is_away, False
        if was_away:
            logs.info("replica", "replica used again")

    def _primary_now(self) -> _Identity | None:
        """Return the identity of the primary; while it cannot be reached, the last one."""
        try:
            self._known = self._identity(self._primary)
        except StorageConnectionError:
            return self._known
        return self._known

    def _identity(self, database: Database[Any]) -> _Identity:
        with database.read() as connection:
            [row] = connection.execute_sql(_IDENTITY.format(database.words.sessions)).fetchall()
        return _Identity(*row)

    def _behind(self) -> int:
        """Return the bytes that the replica has not replayed, after some time, of what the primary has written."""
        if not self._identity(self._replica).is_standby:
            return 0
        with self._primary.read() as connection:
            [written] = connection.execute_sql(_WRITTEN).fetchall()
        end = time.monotonic() + LONGEST_LAG
        while True:
            with self._replica.read() as connection:
                [(behind,)] = connection.execute_sql(_BEHIND, tuple(written)).fetchall()
            if not behind or time.monotonic() >= end:
                return int(behind)
            time.sleep(_REST)
