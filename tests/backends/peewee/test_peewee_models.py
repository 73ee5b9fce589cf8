"""The models describe just the tables that the migrations make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_backend_peewee import Models, PeeweeBackend
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
    from collections.abc import Callable, Iterator

    from peewee import Database

OF_CORE = ((*SESSION_COLUMNS, REMOVING), RUN_COLUMNS, EVENT_COLUMNS, SEQUENCE_COLUMNS, ARTIFACT_COLUMNS, STATE_COLUMNS)


@pytest.fixture
def migrated(make: Callable[..., Database]) -> Iterator[Any]:
    """Return the application's database, with the tables."""
    database = make()
    backend = PeeweeBackend(database, migrate=True)
    with database.connection_context():
        yield backend


@pytest.fixture(params=Models._fields)
def model(request: pytest.FixtureRequest, migrated: PeeweeBackend) -> Any:
    return getattr(migrated.models, request.param)


def kind(field: Any) -> str:
    """Return what a database calls the type of a field."""
    while hasattr(field, "rel_field"):
        field = field.rel_field
    name = field.model._meta.database._field_types.get(field.field_type, field.field_type)
    return {"timestamptz": "timestamp with time zone"}.get(name, name.lower())


def test_columns_types_and_null_are_the_same(model: Any) -> None:
    database = model._meta.database
    found = {
        one.name: (one.data_type.lower(), one.null, one.primary_key)
        for one in database.get_columns(model._meta.table_name)
    }
    keys = {field.column_name for field in model._meta.get_primary_keys()}
    described = {
        field.column_name: (kind(field), field.null, field.column_name in keys) for field in model._meta.sorted_fields
    }
    assert described == found


def test_what_is_unique_is_the_same(model: Any) -> None:
    found = {
        tuple(one.columns)
        for one in model._meta.database.get_indexes(model._meta.table_name)
        if one.unique and tuple(one.columns) not in {("id",), ("session_id",)}
    }
    described = {(field.column_name,) for field in model._meta.sorted_fields if field.unique}
    described |= {tuple(columns) for columns, unique in model._meta.indexes if unique}
    if model._meta.composite_key:
        described.add(tuple(model._meta.primary_key.field_names))
    assert described == found


def test_foreign_keys_are_the_same(model: Any) -> None:
    found = {
        (one.column, one.dest_table, one.dest_column, one.on_delete)
        for one in model._meta.database.get_foreign_keys(model._meta.table_name)
    }
    assert {
        (key.column_name, owner._meta.table_name, key.rel_field.column_name, key.on_delete)
        for key, owner in model._meta.refs.items()
        if not key.deferred  # of which Peewee makes none either
    } == found


def test_the_models_have_the_columns_that_core_reads_and_writes(migrated: PeeweeBackend) -> None:
    for model, columns in zip(migrated.models, OF_CORE, strict=True):
        assert set(model._meta.columns) == set(columns)


def test_the_ports_read_what_the_models_wrote(migrated: PeeweeBackend) -> None:
    session = asm.Session.new(agent_id="a", metadata={"b": 1, "a": "é\0🙂"}, tags=["t"])
    values = {name: getattr(session, name) for name in session.__struct_fields__}
    migrated.models.SessionRow.create(**values)
    (found,) = migrated.query_api.search_sessions(tags=["t"], order_by="created_at_desc")
    assert repr(found) == repr(session)
    assert migrated.maintenance.health_check() == []
