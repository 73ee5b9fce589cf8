"""An engine of the application's, and tables in a schema of their own on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend
from asm_contract_tests import OpenBackend, TransactionsContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from asm_contract_tests.contract import CallersTransaction

AGENTS = "Agents"
WHERE = "SELECT nspname FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid WHERE relname LIKE 'asm%'"


@pytest.fixture
def database() -> str:
    return "postgresql"


@pytest.fixture
def own(engine: Engine) -> Iterator[Engine]:
    """Return the application's engine, with a table of its own and without ours."""
    with engine.begin() as connection:
        for statement in (
            f'DROP SCHEMA IF EXISTS "{AGENTS}" CASCADE',
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
            "CREATE TABLE note (words text)",
        ):
            connection.execute(text(statement))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE note"))


class TestContractInASchema(TransactionsContract):
    """The ports join the application's transaction there too."""

    @pytest.fixture
    def open_backend(self, own: Engine, url: str) -> OpenBackend:  # noqa: ARG002  the schema is to be made
        return lambda: asm.open_backend("sqlmodel", url=url, migrate=True, schema=AGENTS)

    @pytest.fixture
    def callers_transaction(self, own: Engine) -> CallersTransaction:
        return own.begin


def an_event(backend: asm.Backend) -> asm.Event:
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    return backend.session_store.append_event(asm.Event.new(type="session_created", session_id=session.id))


def schemas(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return {row[0] for row in connection.execute(text(WHERE))}


def test_the_applications_own_statements_mean_its_own_tables(own: Engine, url: str) -> None:
    with SQLModelBackend(own, migrate=True, schema=AGENTS) as backend:
        with own.begin() as connection, backend.bind(connection):
            event = an_event(backend)
            connection.execute(text("INSERT INTO note VALUES ('beside it')"))
        with own.connect() as connection:
            assert connection.execute(text("SELECT words FROM public.note")).scalar_one() == "beside it"
    with asm.open_backend("sqlmodel", url=url, schema=AGENTS) as other:
        assert other.session_store.get_events(event.session_id) == [event]


def test_an_engine_may_name_the_schema_itself(own: Engine) -> None:
    with SQLModelBackend(own.execution_options(schema_translate_map={None: AGENTS}), migrate=True) as backend:
        an_event(backend)
    assert schemas(own) == {AGENTS}


def test_a_connection_that_names_a_schema_for_other_tables_moves_none_of_ours(own: Engine) -> None:
    with SQLModelBackend(own, migrate=True, schema=AGENTS) as backend:
        elsewhere = own.execution_options(schema_translate_map={None: "elsewhere"})
        with elsewhere.begin() as connection, backend.bind(connection):
            event = an_event(backend)
        assert backend.session_store.get_events(event.session_id) == [event]


def test_sqlite_has_none() -> None:
    engine = create_engine("sqlite://")
    with pytest.raises(asm.ValidationError, match="SQLite has no schemas"):
        SQLModelBackend(engine, schema=AGENTS)


def test_an_engine_of_the_application_gives_equal_models_and_is_not_closed(own: Engine, url: str) -> None:
    data = {"b": 1, "a": [1.5, 2**63 - 1, {"nul": "\0"}]}
    with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
        store = backend.session_store
        session = store.save_session(asm.Session.new(agent_id="a", metadata=data, tags=["x"]))
        event = store.append_event(asm.Event.new(type="session_started", session_id=session.id, data=data))
    with SQLModelBackend(own) as backend:
        assert backend.session_store.get_session(session.id) == session
        assert repr(backend.session_store.get_events(session.id)) == repr([event])
    own.connect().close()
