"""Maintenance of sessions of any size, in small statements and transactions; exact bounds with --soak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from bare import ask, connected
from psycopg import sql
from seeded import new_store  # noqa: F401  a fixture

import asm_core as asm

if TYPE_CHECKING:
    from seeded import NewStore

TABLES: Final = ("asm_sessions", "asm_runs", "asm_events", "asm_session_sequences")
NOTE: Final = """\
CREATE TABLE changes (transaction bigint, at_table text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO changes VALUES (txid_current(), TG_TABLE_NAME); RETURN NULL; END $$;"""


def unlimited(url: str) -> psycopg.Connection:
    """Connect without the limit that a test sets."""
    return psycopg.connect(url, options="-c statement_timeout=0")


def add_session(url: str, name: str, events: int, runs: int = 0) -> None:
    """Store a session with events, of which every fifth starts a tool call and most of those have a result."""
    with unlimited(url) as connection:
        connection.execute(
            "INSERT INTO asm_sessions (id, agent_id, status, metadata, context, tags, created_at, updated_at) "
            "VALUES (%s, 'a', 'completed', '{}', '{}', '[]', now(), now())",
            (name,),
        )
        connection.execute(
            "INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at) VALUES (%s, %s, now())",
            (name, events),
        )
        connection.execute(
            "INSERT INTO asm_events (id, session_id, sequence_number, type, timestamp, data, metadata, schema_version) "
            "SELECT %s || n, %s, n, CASE WHEN n %% 5 = 1 THEN 'tool_call_started' WHEN n %% 5 = 3 AND n %% 35 <> 3 "
            "THEN 'tool_call_completed' ELSE 'message_sent' END, now(), "
            "json_build_object('tool_call_id', 'c' || n / 5), '{}', 1 FROM generate_series(1, %s::int) AS n",
            (name, name, events),
        )
        connection.execute(
            "INSERT INTO asm_runs (id, session_id, status, metadata, turn_count, token_usage, started_at, "
            "provider_metadata, input_tokens, output_tokens, total_tokens) "
            "SELECT %s || n, %s, 'completed', '{}', 0, '{}', now(), '{}', 0, 0, 0 "
            "FROM generate_series(1, %s::int) AS n",
            (name, name, runs),
        )


@pytest.fixture
def url(new_store: NewStore) -> str:  # noqa: F811  the fixture
    return new_store("postgresql", 0.05)


def set_limit(url: str, milliseconds: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        statement = sql.SQL("ALTER DATABASE {} SET statement_timeout = {}")
        name = sql.Identifier(connection.info.dbname)
        connection.execute(statement.format(name, sql.Literal(milliseconds)))


def soft_delete(url: str, name: str) -> None:
    with unlimited(url) as connection:
        for table, column in (("asm_sessions", "id"), ("asm_session_sequences", "session_id")):
            connection.execute(f"UPDATE {table} SET deleted_at = now() - interval '99 days' WHERE {column} = '{name}'")  # noqa: S608


@pytest.mark.timeout(600)
def test_a_large_session_is_pruned_and_removed_in_short_statements(url: str, backend_name: str, soak: int) -> None:
    events = 150_000 if soak > 1 else 60_000
    # A machine that does much else at once lets a statement wait.
    batch_size, milliseconds = (100, 40) if soak > 1 else (500, 200)
    add_session(url, "large", events)
    set_limit(url, milliseconds)
    with asm.open_backend(backend_name, url=url) as backend:
        policy = asm.RetentionPolicy(max_events_per_session=events - 3_000, batch_size=batch_size)
        assert 0 <= backend.maintenance.prune_session_events("large", policy) - 3_000 <= 1
        soft_delete(url, "large")
        report = backend.maintenance.execute(
            asm.RetentionPolicy(max_session_age_days=1, max_total_events=10**6, batch_size=batch_size)
        )
        assert report.sessions_hard_deleted >= 1
        assert report.events_removed >= events - 3_001
        add_session(url, "large", events // 4)
        backend.session_store.delete_session("large")
    assert ask(url, "SELECT count(*) FROM asm_events WHERE session_id = 'large'") == [(0,)]


def test_no_transaction_of_maintenance_changes_more_rows_than_a_batch(url: str, backend_name: str) -> None:
    add_session(url, "large", 1_000, runs=300)
    for place in range(30):
        add_session(url, f"small{place}", 3, runs=2)
    add_session(url, "pruned", 400)
    for name in ("large", *(f"small{place}" for place in range(30))):
        soft_delete(url, name)
    with connected(url) as connection:
        connection.execute(NOTE)
        for table in TABLES:
            connection.execute(
                f"CREATE TRIGGER note AFTER UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION note()"
            )
    with asm.open_backend(backend_name, url=url) as backend:
        report = backend.maintenance.execute(asm.RetentionPolicy(max_events_per_session=150, batch_size=50))
    assert report.sessions_hard_deleted >= 31
    assert report.events_pruned >= 250
    counted = ask(url, "SELECT at_table, count(*) FROM changes GROUP BY at_table, transaction")
    assert [(table, count) for table, count in counted if count > 50] == []
    assert ask(url, "SELECT count(*) FROM asm_runs WHERE session_id LIKE 'small%' OR session_id = 'large'") == [(0,)]


def test_a_deletion_leaves_nothing_where_no_foreign_key_cascades(url: str, backend_name: str) -> None:
    add_session(url, "large", 20, runs=3)
    add_session(url, "due", 20, runs=3)
    soft_delete(url, "due")
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET session_replication_role = replica").format(name))
    with asm.open_backend(backend_name, url=url) as backend:
        backend.session_store.delete_session("large")
        backend.maintenance.hard_delete_expired_sessions(asm.RetentionPolicy())
    for table in ("asm_events", "asm_runs", "asm_session_sequences"):
        assert ask(url, f"SELECT * FROM {table} WHERE session_id IN ('large', 'due')") == []  # noqa: S608
    assert ask(url, "SELECT * FROM asm_sessions WHERE id IN ('large', 'due')") == []
