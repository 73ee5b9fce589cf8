"""The entities describe just the tables that the migrations make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pony.orm import db_session

from asm_backend_pony import Models, PonyBackend, define
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
    from collections.abc import Callable

    from pony.orm import Database

COLUMNS = {
    "SessionRow": (*SESSION_COLUMNS, REMOVING),
    "RunRow": RUN_COLUMNS,
    "EventRow": EVENT_COLUMNS,
    "SequenceRow": SEQUENCE_COLUMNS,
    "ArtifactRow": ARTIFACT_COLUMNS,
    "StateRow": STATE_COLUMNS,
}
KINDS = {"str": "text", "int": "bigint", "Json": "json", "datetime": "timestamp with time zone"}
ON_SQLITE = {"str": "text", "int": "integer", "Json": "text", "datetime": "text"}


@pytest.fixture
def database(make: Callable[..., Database]) -> Database:
    made = make()
    PonyBackend(made, migrate=True)
    define(made)
    made.generate_mapping(check_tables=True)  # Pony itself looks whether columns are there
    return made


def kind(attribute: Any) -> str:
    """Return the name of an attribute's type; that of its key where it is a relation."""
    found = attribute.reverse.entity._pk_.py_type if attribute.reverse else attribute.py_type
    return str(found.__name__)


def found_columns(database: Any, table: str) -> dict[str, tuple[str, bool]]:
    """Return the type of each column of a table, and whether it may be null."""
    with db_session:
        execute = database.get_connection().cursor().execute
        if database.provider.dialect == "SQLite":
            rows = execute(f"PRAGMA table_info({table})").fetchall()
            return {name: (kind.lower(), not required) for _, name, kind, required, *_ in rows}
        cursor = database.get_connection().cursor()
        cursor.execute(
            "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns WHERE table_name = %s",
            (table,),
        )
        return {name: (kind, null) for name, kind, null in cursor.fetchall()}


@pytest.mark.parametrize("name", Models._fields)
def test_columns_types_and_null_are_the_same(database: Any, name: str) -> None:
    entity = database.entities[name]
    kinds = ON_SQLITE if database.provider.dialect == "SQLite" else KINDS
    described = {
        one.columns[0]: (kinds[kind(one)], bool(one.nullable))
        for one in entity._attrs_
        if not one.is_collection and one.columns
    }
    found = found_columns(database, entity._table_)
    if "tags" in found:
        found["tags"] = (found["tags"][0].replace("jsonb", "json"), found["tags"][1])
    assert described == found
    assert set(found) == set(COLUMNS[name])
