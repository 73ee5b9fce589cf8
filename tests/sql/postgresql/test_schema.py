"""The schema on PostgreSQL, as its migrations make it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from old_runs import BEFORE, NEW_COLUMNS, OLD_RUNS, PARTS, TOTALS, fill_runs
from sqlalchemy import create_engine, make_url, text

from asm_core.sql import LATEST_VERSION, Dialect, ddl, migrate, schema_version
from asm_core.sql.queries.maintenance.integrity import find_faults
from asm_core.sql.queries.words import words_of

if TYPE_CHECKING:
    from psycopg import Connection

COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns "
    "WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
)
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
CONSTRAINTS = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace ORDER BY conname"
)
VERSIONS = range(LATEST_VERSION + 1)
WORDS = words_of(Dialect.POSTGRESQL)


@pytest.fixture
def connection(connection: Connection) -> Connection:
    """Return a connection to an empty database."""
    connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return connection


def schema(connection: Connection) -> list[Any]:
    return [connection.execute(question).fetchall() for question in (COLUMNS, INDEXES, CONSTRAINTS)]


def run(connection: Connection, statements: list[str]) -> None:
    for statement in statements:
        connection.execute(statement)  # type: ignore[call-overload]  # a text of core's own


@pytest.mark.parametrize("version", VERSIONS)
def test_up_down_and_up_again_is_the_same(connection: Connection, version: int) -> None:
    assert migrate(connection.execute, WORDS) == list(VERSIONS[1:])
    made = schema(connection)
    migrate(connection.execute, WORDS, version)
    assert schema_version(connection.execute, WORDS) == version
    migrate(connection.execute, WORDS)
    assert schema(connection) == made


def test_down_to_0_leaves_nothing(connection: Connection) -> None:
    migrate(connection.execute, WORDS)
    migrate(connection.execute, WORDS, 0)
    assert schema(connection) == [[], [], []]


def test_what_is_printed_is_what_migrating_runs(connection: Connection) -> None:
    run(connection, ddl(Dialect.POSTGRESQL))
    made = schema(connection)
    assert schema_version(connection.execute, WORDS) == LATEST_VERSION
    run(connection, ddl(Dialect.POSTGRESQL, start=LATEST_VERSION, stop=0))
    migrate(connection.execute, WORDS)
    assert schema(connection) == made


def test_every_table_of_a_migration_is_in_the_schema() -> None:
    up = ddl("postgresql", schema="agents")
    down = [text for version in VERSIONS[1:] for text in ddl("postgresql", start=version, stop=0, schema="agents")]
    unqualified = re.compile(rf'(?<!"\.)\b({"|".join(WORDS.tables.values())})\b')
    assert [text for text in (*up, *down) if unqualified.search(text)] == []


def test_text_is_ordered_as_on_sqlite(connection: Connection) -> None:
    migrate(connection.execute, WORDS)
    columns = connection.execute(COLUMNS).fetchall()
    assert {collation for *_, kind, _, collation in columns if kind == "text"} == {"C"}


def test_a_fresh_schema_is_healthy(connection: Connection) -> None:
    migrate(connection.execute, WORDS)
    assert find_faults(connection.execute, WORDS) == []


def test_alembic_can_run_the_statements(connection: Connection, url: str) -> None:
    migrate(connection.execute, WORDS)
    made = schema(connection)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as own:
        for statement in [*ddl(Dialect.POSTGRESQL, start=LATEST_VERSION, stop=0), *ddl(Dialect.POSTGRESQL)]:
            own.execute(text(statement))  # as op.execute does
    engine.dispose()
    assert schema(connection) == made


def test_parts_of_tokens_get_columns_and_lose_them(connection: Connection) -> None:
    migrate(connection.execute, WORDS, BEFORE)
    fill_runs(connection.execute, "%s")
    migrate(connection.execute, WORDS, BEFORE + 1)
    assert {row[0]: row[1:] for row in connection.execute(PARTS)} == NEW_COLUMNS
    migrate(connection.execute, WORDS, BEFORE)
    assert dict(connection.execute(TOTALS).fetchall()) == {name: columns[2] for name, columns in OLD_RUNS.items()}
