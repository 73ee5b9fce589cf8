"""The row models describe just the tables that the migrations make."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import inspect
from sqlmodel import Session as OrmSession
from sqlmodel import SQLModel, select

import asm_core as asm
from asm_backend_sqlmodel import models
from asm_core.sql.schema.tables import (
    ARTIFACT_COLUMNS,
    EVENT_COLUMNS,
    REMOVING,
    RUN_COLUMNS,
    SEQUENCE_COLUMNS,
    SESSION_COLUMNS,
    STATE_COLUMNS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine, Table

TABLES: dict[str, Table] = dict(models.SessionRow.metadata.tables)
BOOKKEEPING = "asm_schema_migrations"
OF_CORE = {
    "asm_sessions": (*SESSION_COLUMNS, REMOVING),
    "asm_session_sequences": SEQUENCE_COLUMNS,
    "asm_runs": RUN_COLUMNS,
    "asm_events": EVENT_COLUMNS,
    "asm_artifacts": ARTIFACT_COLUMNS,
    "asm_state": STATE_COLUMNS,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def compiled(kind: Any, dialect: Any) -> str:
    """Return the name of a type in a database, without its collation."""
    name = kind.dialect_impl(dialect).compile(dialect).partition(" COLLATE")[0]
    return "INTEGER" if name == "BIGINT" and dialect.name == "sqlite" else str(name)


def foreign_keys(migrated: Any, name: str) -> Iterator[tuple[Any, ...]]:
    if migrated.engine.dialect.name == "sqlite":  # where SQLAlchemy sees no ON DELETE of a column's own reference
        with migrated.engine.connect() as connection:
            for row in connection.exec_driver_sql(f"PRAGMA foreign_key_list({name})").mappings():
                yield row["from"], row["table"], row["to"], row["on_delete"]
    else:
        for one in migrated.get_foreign_keys(name):
            (own,), (other,) = one["constrained_columns"], one["referred_columns"]
            yield own, one["referred_table"], other, one["options"].get("ondelete")


@pytest.fixture
def migrated(backend: asm.Backend, engine: Engine) -> Any:  # noqa: ARG001  the tables are there
    return inspect(engine)


def test_there_is_a_model_for_each_table(migrated: Any) -> None:
    assert set(migrated.get_table_names()) == {*TABLES, BOOKKEEPING}


def test_the_models_have_metadata_of_their_own() -> None:
    assert not set(TABLES) & set(SQLModel.metadata.tables)


@pytest.mark.parametrize("name", TABLES)
def test_columns_types_and_null_are_the_same(migrated: Any, name: str) -> None:
    dialect = migrated.engine.dialect
    found = {one["name"]: (compiled(one["type"], dialect), one["nullable"]) for one in migrated.get_columns(name)}
    assert {one.name: (compiled(one.type, dialect), one.nullable) for one in TABLES[name].c} == found


@pytest.mark.parametrize("name", TABLES)
def test_primary_keys_are_the_same(migrated: Any, name: str) -> None:
    described = [column.name for column in TABLES[name].primary_key]
    assert described == migrated.get_pk_constraint(name)["constrained_columns"]


@pytest.mark.parametrize("name", TABLES)
def test_foreign_keys_are_the_same(migrated: Any, name: str) -> None:
    found = set(foreign_keys(migrated, name))
    keys = TABLES[name].foreign_keys
    assert {(key.parent.name, key.column.table.name, key.column.name, key.ondelete) for key in keys} == found


@pytest.mark.parametrize("name", TABLES)
def test_what_is_unique_is_the_same(migrated: Any, name: str) -> None:
    found = {tuple(one["column_names"]) for one in migrated.get_unique_constraints(name)}
    table = TABLES[name]
    described = {(column.name,) for column in table.c if column.unique}
    described |= {tuple(c.columns.keys()) for c in table.constraints if type(c).__name__ == "UniqueConstraint"}
    assert described == found


@pytest.mark.parametrize("name", OF_CORE)
def test_the_models_have_the_columns_that_core_reads_and_writes(name: str) -> None:
    assert set(TABLES[name].c.keys()) == set(OF_CORE[name])


def test_the_models_read_what_the_ports_wrote(backend: asm.Backend, engine: Engine) -> None:
    session = asm.Session.new(agent_id="a", metadata={"key": "é\0🙂"}, tags=["one", "two"])
    backend.session_store.save_session(session)
    event = backend.session_store.append_event(
        asm.Event.new(type="message_sent", session_id=session.id, data={"b": 1, "a": [None, 1.5]})
    )
    with OrmSession(engine) as orm:
        row = orm.exec(select(models.SessionRow)).one()
        assert (row.id, row.session_metadata, row.tags) == (session.id, session.metadata, ["one", "two"])
        assert row.created_at == session.created_at
        log = orm.exec(select(models.EventRow).where(models.EventRow.session_id == session.id)).one()
        assert (log.id, log.sequence_number, list(log.data)) == (event.id, 1, ["b", "a"])
        assert orm.exec(select(models.SequenceRow)).one().last_sequence == 1


def test_the_ports_read_what_the_models_wrote(backend: asm.Backend, engine: Engine) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    with OrmSession(engine) as orm:
        orm.add(
            models.SessionRow(
                id="ses_own",
                agent_id="a",
                status="active",
                session_metadata={"b": 1, "a": 2},
                context={},
                tags=["t"],
                created_at=now,
                updated_at=now,
            )
        )
        orm.commit()
    (found,) = backend.query_api.search_sessions(tags=["t"], order_by="created_at_desc")
    assert (found.created_at, list(found.metadata), found.deleted_at) == (now, ["b", "a"], None)
    assert backend.maintenance.health_check() == []
