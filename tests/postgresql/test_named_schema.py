"""The tables in a schema of their own, beside an application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend
from asm_contract_tests import OpenBackend, StateMachineContract, TransactionsContract
from asm_core.sql import ddl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection
    from sqlalchemy import Engine

    from asm_contract_tests.contract import CallersTransaction

AGENTS = "Agents"
WHERE = "SELECT nspname FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid WHERE relname LIKE 'asm%'"
COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns "
    "WHERE table_schema = %s ORDER BY table_name, ordinal_position"
)
INDEXES = "SELECT indexname, replace(indexdef, %s, '') FROM pg_indexes WHERE schemaname = %s ORDER BY indexname"


@pytest.fixture
def url(url: str, connection: Connection) -> str:
    """Return how to connect to a database without tables."""
    for name in ("public", f'"{AGENTS}"'):
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")  # type: ignore[call-overload]
    connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Make an engine of the application's, with a table of its own."""
    made = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE note (words text)"))
    yield made
    made.dispose()


class TestContractInASchema(StateMachineContract, TransactionsContract):
    """What goes through every method of every port holds there too."""

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: asm.open_backend("sqlmodel", url=url, migrate=True, schema=AGENTS)

    @pytest.fixture
    def callers_transaction(self, engine: Engine) -> CallersTransaction:
        return engine.begin


def an_event(backend: asm.Backend) -> asm.Event:
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    return backend.session_store.append_event(asm.Event.new(type="session_created", session_id=session.id))


def shape(connection: Connection, schema: str) -> list[object]:
    return [
        connection.execute(COLUMNS, (schema,)).fetchall(),
        connection.execute(INDEXES, (f'"{schema}".', schema)).fetchall(),
    ]


def test_all_tables_stand_there_and_nowhere_else(url: str, connection: Connection) -> None:
    with asm.open_backend("sqlmodel", url=url, migrate=True, schema=AGENTS) as backend:
        an_event(backend)
        assert set(connection.execute(WHERE).fetchall()) == {(AGENTS,)}
        assert backend.migrate(0)
        assert backend.schema_version() == 0
    assert connection.execute(WHERE).fetchall() == []


def test_what_is_printed_is_what_migrating_runs(url: str, connection: Connection) -> None:
    asm.open_backend("sqlmodel", url=url, migrate=True, schema=AGENTS).close()
    made = shape(connection, AGENTS)
    connection.execute(f'DROP SCHEMA "{AGENTS}" CASCADE')  # type: ignore[call-overload]
    for statement in ddl("postgresql", schema=AGENTS):
        connection.execute(statement)  # type: ignore[call-overload]  # a text of core's own
    assert shape(connection, AGENTS) == made
    asm.open_backend("sqlmodel", url=url, schema=AGENTS).close()


def test_schemas_of_one_database_are_stores_apart(url: str) -> None:
    with (
        asm.open_backend("sqlmodel", url=url, migrate=True) as public,
        asm.open_backend("sqlmodel", url=url, migrate=True, schema=AGENTS) as agents,
    ):
        event = an_event(agents)
        assert public.query_api.search_events().items == []
        with pytest.raises(asm.SessionNotFoundError):
            public.session_store.append_event(asm.Event.new(type="session_started", session_id=event.session_id))
        assert public.maintenance.health_check() == agents.maintenance.health_check() == []


def test_the_applications_own_statements_mean_its_own_tables(url: str, engine: Engine) -> None:
    with SQLModelBackend(engine, migrate=True, schema=AGENTS) as backend:
        with engine.begin() as connection, backend.bind(connection):
            event = an_event(backend)
            connection.execute(text("INSERT INTO note VALUES ('beside it')"))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT words FROM public.note")).scalar_one() == "beside it"
    with asm.open_backend("sqlmodel", url=url, schema=AGENTS) as own:
        assert own.session_store.get_events(event.session_id) == [event]


def test_an_engine_may_name_the_schema_itself(engine: Engine, connection: Connection) -> None:
    placed = engine.execution_options(schema_translate_map={None: AGENTS})
    with SQLModelBackend(placed, migrate=True) as backend:
        an_event(backend)
    assert set(connection.execute(WHERE).fetchall()) == {(AGENTS,)}


def test_a_connection_that_names_a_schema_for_other_tables_moves_none_of_ours(engine: Engine) -> None:
    with SQLModelBackend(engine, migrate=True, schema=AGENTS) as backend:
        elsewhere = engine.execution_options(schema_translate_map={None: "elsewhere"})
        with elsewhere.begin() as connection, backend.bind(connection):
            event = an_event(backend)
        assert backend.session_store.get_events(event.session_id) == [event]


def test_who_may_not_make_schemas_may_use_one(url: str, connection: Connection) -> None:
    connection.execute("DROP ROLE IF EXISTS asm_humble")
    connection.execute("CREATE ROLE asm_humble LOGIN PASSWORD 'secret'")
    connection.execute(f'CREATE SCHEMA "{AGENTS}" AUTHORIZATION asm_humble')  # type: ignore[call-overload]
    humble = make_url(url).set(username="asm_humble", password="secret").render_as_string(False)  # noqa: S106, FBT003
    with asm.open_backend("sqlmodel", url=humble, migrate=True, schema=AGENTS) as backend:
        assert an_event(backend).sequence_number == 1
    connection.execute(f'DROP SCHEMA "{AGENTS}" CASCADE')  # type: ignore[call-overload]
    connection.execute("DROP ROLE asm_humble")


@pytest.mark.parametrize("name", ["", "a-b", 'a"b', "a b", "1a", "a" * 64, "é", 5])
def test_what_can_be_no_schema_is_refused(url: str, name: object) -> None:
    with pytest.raises(asm.ValidationError, match="schema must be a name of letters, digits and underscores"):
        asm.open_backend("sqlmodel", url=url, migrate=True, schema=name)


def test_sqlite_has_none() -> None:
    engine = create_engine("sqlite://")
    with pytest.raises(asm.ValidationError, match="SQLite has no schemas"):
        SQLModelBackend(engine, schema=AGENTS)
    with pytest.raises(asm.ValidationError, match="has no option 'schema' for this database"):
        asm.open_backend("sqlmodel", url="sqlite://", schema=AGENTS)
    with pytest.raises(asm.ValidationError, match="SQLite has no schemas"):
        ddl("sqlite", schema=AGENTS)


def test_a_schema_that_is_not_there_is_not_made_unasked(url: str, connection: Connection) -> None:
    with pytest.raises(asm.MigrationRequiredError, match="asm db upgrade"):
        asm.open_backend("sqlmodel", url=url, schema=AGENTS)
    found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (AGENTS,)).fetchall()
    assert found == []
