"""The tables in a schema of their own, beside an application's."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import psycopg
import pytest

import asm_core as asm
from asm_contract_tests import OpenBackend, StateMachineContract
from asm_core.sql import ddl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection


AGENTS = "Agents"


WHERE = "SELECT nspname FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid WHERE relname LIKE 'asm%'"


COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns "
    "WHERE table_schema = %s ORDER BY table_name, ordinal_position"
)


INDEXES = "SELECT indexname, replace(indexdef, %s, '') FROM pg_indexes WHERE schemaname = %s ORDER BY indexname"


@pytest.fixture
def database() -> str:
    return "postgresql"


@pytest.fixture
def connection(postgresql_url: str) -> Iterator[Connection]:
    """Connect to a database without tables, in autocommit mode."""
    with psycopg.connect(postgresql_url, autocommit=True) as connected:
        connected.execute(f'DROP SCHEMA IF EXISTS "{AGENTS}" CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public')
        yield connected


class TestContractInASchema(StateMachineContract):
    """What goes through every method of every port holds there too."""

    @pytest.fixture
    def open_backend(self, backend_name: str, url: str, connection: Connection) -> OpenBackend:  # noqa: ARG002  empty
        return lambda: asm.open_backend(backend_name, url=url, migrate=True, schema=AGENTS)


def an_event(backend: asm.Backend) -> asm.Event:
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    return backend.session_store.append_event(asm.Event.new(type="session_created", session_id=session.id))


def shape(connection: Connection, schema: str) -> list[object]:
    return [
        connection.execute(COLUMNS, (schema,)).fetchall(),
        connection.execute(INDEXES, (f'"{schema}".', schema)).fetchall(),
    ]


def test_all_tables_stand_there_and_nowhere_else(backend_name: str, url: str, connection: Connection) -> None:
    with asm.open_backend(backend_name, url=url, migrate=True, schema=AGENTS) as backend:
        an_event(backend)
        assert set(connection.execute(WHERE).fetchall()) == {(AGENTS,)}
        assert backend.migrate(0)
        assert backend.schema_version() == 0
    assert connection.execute(WHERE).fetchall() == []


def test_what_is_printed_is_what_migrating_runs(backend_name: str, url: str, connection: Connection) -> None:
    asm.open_backend(backend_name, url=url, migrate=True, schema=AGENTS).close()
    made = shape(connection, AGENTS)
    connection.execute(f'DROP SCHEMA "{AGENTS}" CASCADE')  # type: ignore[call-overload]
    for statement in ddl("postgresql", schema=AGENTS):
        connection.execute(statement)  # type: ignore[call-overload]  # a text of core's own
    assert shape(connection, AGENTS) == made
    asm.open_backend(backend_name, url=url, schema=AGENTS).close()


def test_schemas_of_one_database_are_stores_apart(backend_name: str, url: str) -> None:
    with (
        asm.open_backend(backend_name, url=url, migrate=True) as public,
        asm.open_backend(backend_name, url=url, migrate=True, schema=AGENTS) as agents,
    ):
        event = an_event(agents)
        assert public.query_api.search_events().items == []
        with pytest.raises(asm.SessionNotFoundError):
            public.session_store.append_event(asm.Event.new(type="session_started", session_id=event.session_id))
        assert public.maintenance.health_check() == agents.maintenance.health_check() == []


def test_a_role_without_create_may_use_a_schema(backend_name: str, url: str, connection: Connection) -> None:
    role = f"asm_humble_{os.getpid()}"
    connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")  # type: ignore[call-overload]
    connection.execute(f'CREATE SCHEMA "{AGENTS}" AUTHORIZATION {role}')  # type: ignore[call-overload]
    humble = re.sub("//[^/@]*@", f"//{role}:secret@", url)
    with asm.open_backend(backend_name, url=humble, migrate=True, schema=AGENTS) as backend:
        assert an_event(backend).sequence_number == 1
    connection.execute(f'DROP SCHEMA "{AGENTS}" CASCADE')  # type: ignore[call-overload]
    connection.execute(f"DROP ROLE {role}")  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["", "a-b", 'a"b', "a b", "1a", "a" * 64, "é", 5])
def test_what_can_be_no_schema_is_refused(backend_name: str, url: str, name: object) -> None:
    with pytest.raises(asm.ValidationError, match="schema must be a name of at most 63 letters"):
        asm.open_backend(backend_name, url=url, migrate=True, schema=name)


def test_a_schema_that_is_not_there_is_not_made_unasked(backend_name: str, url: str, connection: Connection) -> None:
    with pytest.raises(asm.MigrationRequiredError, match="asm db upgrade"):
        asm.open_backend(backend_name, url=url, schema=AGENTS)
    found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (AGENTS,)).fetchall()
    assert found == []
