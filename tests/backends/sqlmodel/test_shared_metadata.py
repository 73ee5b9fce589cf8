"""Tables of the application that refer to sessions: on its own metadata, or on metadata that it shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Engine, ForeignKey, MetaData, Text, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, select
from sqlmodel import Session as OrmSession

import asm_core as asm
from asm_backend_sqlmodel import Models, SessionRow, SQLModelBackend, define

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["sqlite", "postgresql", "schema"])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database(place: str) -> str:
    return "sqlite" if place == "sqlite" else "postgresql"


@pytest.fixture
def schema(place: str) -> str | None:
    return "agents" if place == "schema" else None


@pytest.fixture
def backend(engine: Engine, schema: str | None) -> Iterator[SQLModelBackend]:
    yield SQLModelBackend(engine, migrate=True, schema=schema)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS ticket"))
        if schema:
            connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))


@pytest.fixture
def session(backend: SQLModelBackend) -> asm.Session:
    return backend.session_store.save_session(asm.Session.new(agent_id="a"))


@pytest.fixture
def metadata() -> MetaData:
    """Return the application's own."""
    return MetaData()


@pytest.fixture
def models(metadata: MetaData, schema: str | None) -> Models:
    return define(metadata, schema=schema)


@pytest.fixture(params=["by name", "by column"])
def ticket(request: pytest.FixtureRequest, metadata: MetaData, models: Models, schema: str | None) -> Any:
    """Return a table of the application that refers to a session."""
    key: Any = f"{schema}.asm_sessions.id" if schema else "asm_sessions.id"
    if request.param == "by column":
        key, metadata = inspect(models.SessionRow).local_table.c.id, MetaData()

    class Base(SQLModel, registry=registry(metadata=metadata)):
        pass

    class Ticket(Base, table=True):
        id: int | None = Field(default=None, primary_key=True)
        words: str
        session_id: str = Field(sa_column=Column(Text, ForeignKey(key)))

    return Ticket


def test_such_a_table_is_made_and_joined(engine: Engine, session: asm.Session, ticket: Any, models: Models) -> None:
    ticket.metadata.create_all(engine)
    with OrmSession(engine) as orm:
        orm.add(ticket(words="help", session_id=session.id))
        orm.commit()
        [(words, row)] = orm.exec(select(ticket.words, models.SessionRow).join(models.SessionRow)).all()
        assert (words, row.to_model()) == ("help", session)


def test_its_foreign_key_is_that_of_the_database(engine: Engine, session: asm.Session, ticket: Any) -> None:
    ticket.metadata.create_all(engine)
    with OrmSession(engine) as orm:
        if engine.dialect.name == "sqlite":
            orm.execute(text("PRAGMA foreign_keys = ON"))
        orm.add(ticket(words="help", session_id=session.id))
        orm.commit()
        orm.add(ticket(words="help", session_id="nobody"))
        with pytest.raises(IntegrityError):
            orm.commit()


def test_rows_in_a_schema_are_related_too(
    engine: Engine, backend: SQLModelBackend, session: asm.Session, models: Models
) -> None:
    run = backend.session_store.save_run(asm.Run.new(session_id=session.id))
    with OrmSession(engine) as orm:
        row = orm.exec(select(models.RunRow).join(models.RunRow.session).where(models.SessionRow.agent_id == "a")).one()
        assert (row.to_model(), row.session.to_model()) == (run, session)


def test_create_all_makes_none_of_the_tables(metadata: MetaData) -> None:
    define(metadata)
    empty = create_engine("sqlite://")
    with pytest.raises(asm.ValidationError, match="Only migrations create and remove the table asm_sessions"):
        metadata.create_all(empty)
    assert inspect(empty).get_table_names() == []
    empty.dispose()


@pytest.mark.usefixtures("models")
def test_drop_all_removes_none_of_the_tables(engine: Engine, backend: SQLModelBackend, metadata: MetaData) -> None:
    with pytest.raises(asm.ValidationError, match="Only migrations create and remove"):
        metadata.drop_all(engine)
    assert backend.maintenance.health_check() == []


def test_the_schema_of_row_models_is_checked() -> None:
    with pytest.raises(asm.ValidationError, match="schema must be a name"):
        define(schema='a"b')


def test_the_row_models_of_the_package_have_metadata_of_their_own() -> None:
    assert SessionRow.metadata is not SQLModel.metadata
