"""What an administrator of PostgreSQL does to the connections of others."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

import asm_core as asm
from asm_contract_tests.together import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = ("asm_sessions", "asm_runs", "asm_session_sequences", "asm_events", "asm_artifacts", "asm_state")
_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name <> ''"
"""The connections of backends, which say whose they are; those of the tests do not."""


class Administrator:
    """A connection in autocommit mode to the database under test."""

    def __init__(self, url: str) -> None:
        """Connect."""
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)
        self.database = self.connection.info.dbname

    def terminate(self) -> int:
        """End every connection of a backend to the database, wait until they are gone, return how many there were."""
        ended = self.connection.execute(f"SELECT pg_terminate_backend(pid, 10000) {_OTHERS}")  # type: ignore[arg-type]
        return len(ended.fetchall())

    def renew(self, backend: asm.Backend) -> None:
        """Make the backend, which uses at most one connection, connect again with the current settings."""
        self.terminate()
        with pytest.raises(asm.StorageConnectionError):
            backend.session_store.list_sessions(limit=1)

    def cancel(self) -> None:
        """Cancel what every connection of a backend is doing."""
        self.connection.execute(f"SELECT pg_cancel_backend(pid) {_OTHERS}")  # type: ignore[arg-type]

    def configure(self, **settings: str) -> None:
        """Give connections that are opened from now on these settings."""
        for name, value in settings.items():
            template = "ALTER DATABASE {} SET {} = {}"
            self.connection.execute(
                sql.SQL(template).format(sql.Identifier(self.database), sql.Identifier(name), sql.Literal(value))
            )

    def reset(self) -> None:
        """Take all settings back."""
        self.connection.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(sql.Identifier(self.database)))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Block all other reads and writes of a table."""
        with psycopg.connect(self.url) as holder:
            holder.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")  # type: ignore[call-overload]
            yield
            holder.rollback()

    def wait_for_a_waiter(self, count: int = 1) -> None:
        """Wait until so many connections of a backend wait for a lock."""
        self._wait(f"SELECT count(*) = {count} {_OTHERS} AND wait_event_type = 'Lock'")

    def wait_until_alone(self) -> None:
        """Wait until no backend is connected."""
        self._wait(f"SELECT count(*) = 0 {_OTHERS}")

    def contents(self) -> str:
        """Return what is in the tables, but for what a repeated save or redaction changes: a count, or a time."""
        row = "((to_jsonb(t) - 'revision') #- '{metadata,asm_redacted}')::text"
        rows = [f"(SELECT string_agg({row}, ' ' ORDER BY {row}) FROM {table} t)" for table in TABLES[:-1]]  # noqa: S608
        rows.append("(SELECT string_agg(concat(namespace, key, value, expires_at), ' ' ORDER BY key) FROM asm_state)")
        return str(self.connection.execute(f"SELECT {', '.join(rows)}").fetchone())  # type: ignore[call-overload]

    def keep(self) -> None:
        """Keep what is in the tables, in tables of the connection's own."""
        for table in TABLES:
            self.connection.execute(f"CREATE TEMPORARY TABLE kept_{table} AS TABLE {table}")  # type: ignore[call-overload]

    def bring_back(self) -> None:
        """Let the tables have what was kept of them, and nothing else."""
        copies = [f"INSERT INTO {table} TABLE kept_{table}" for table in TABLES]
        self.connection.execute(f"TRUNCATE {', '.join(TABLES)}; {'; '.join(copies)}")  # type: ignore[call-overload]

    def _wait(self, question: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.connection.execute(question).fetchone() != (True,):  # type: ignore[call-overload]
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.002)


@pytest.fixture
def administrator(url: str) -> Iterator[Administrator]:
    """Connect as an administrator; at the end, no setting stays."""
    connected = Administrator(url)
    yield connected
    connected.reset()
    connected.connection.close()
