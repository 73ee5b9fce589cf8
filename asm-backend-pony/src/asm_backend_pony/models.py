"""The tables as Pony's entities. Core's migrations make the tables; a test holds the two together."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from pony.orm import Database, Json, Optional, PrimaryKey, Required


class Models(NamedTuple):
    """The entities of one database, for queries; what they hold is written through the ports."""

    SessionRow: Any
    RunRow: Any
    EventRow: Any
    SequenceRow: Any
    ArtifactRow: Any


def define(database: Database, *, schema: str | None = None) -> Models:
    """Define the entities on a database that is bound, and whose mapping is yet to be generated.

    Args:
        database: of the application's own.
        schema: the schema of PostgreSQL in which the tables stand.
    """
    # SQLite holds times as text of fixed width, which sorts as time does.
    time = str if database.provider.dialect == "SQLite" else datetime

    def of(table: str, **attributes: Any) -> dict[str, Any]:
        return {"_table_": (schema, table) if schema else table, **attributes}

    return Models(
        SessionRow=_entity(database, "SessionRow", of("asm_sessions", **_session(time))),
        RunRow=_entity(database, "RunRow", of("asm_runs", **_run(time))),
        EventRow=_entity(database, "EventRow", of("asm_events", **_event(time))),
        SequenceRow=_entity(database, "SequenceRow", of("asm_session_sequences", **_sequence(time))),
        ArtifactRow=_entity(database, "ArtifactRow", of("asm_artifacts", **_artifact(time))),
    )


def _entity(database: Database, name: str, attributes: dict[str, Any]) -> Any:
    return type(database.Entity)(name, (database.Entity,), attributes)


def _text() -> Any:
    return Optional(str, nullable=True)


def _integer() -> Any:
    return Required(int, size=64)


def _session(time: type) -> dict[str, Any]:
    return {
        "id": PrimaryKey(str),
        "agent_id": Required(str),
        "status": Required(str),
        "parent_session_id": _text(),
        "metadata": Required(Json),
        "context": Required(Json),
        "tags": Required(Json),
        "created_at": Required(time),
        "updated_at": Required(time),
        "deleted_at": Optional(time, nullable=True),
        "removing_at": Optional(time, nullable=True),
    }


def _run(time: type) -> dict[str, Any]:
    return {
        "id": PrimaryKey(str),
        "session_id": Required(str),
        "status": Required(str),
        "input": Optional(Json, nullable=True),
        "output": Optional(Json, nullable=True),
        "error": Optional(Json, nullable=True),
        "metadata": Required(Json),
        "turn_count": _integer(),
        "token_usage": Required(Json),
        "started_at": Required(time),
        "ended_at": Optional(time, nullable=True),
        "provider": _text(),
        "provider_metadata": Required(Json),
        "cost_nanos": Optional(int, size=64),
        "input_tokens": _integer(),
        "output_tokens": _integer(),
        "total_tokens": _integer(),
        "model": _text(),
    }


def _event(time: type) -> dict[str, Any]:
    return {
        "id": PrimaryKey(str),
        "session_id": Required(str),
        "sequence_number": _integer(),
        "type": Required(str),
        "timestamp": Required(time),
        "run_id": _text(),
        "data": Required(Json),
        "metadata": Required(Json),
        "schema_version": _integer(),
        "provider": _text(),
        "correlation_id": _text(),
    }


def _sequence(time: type) -> dict[str, Any]:
    return {
        "session_id": PrimaryKey(str),
        "last_sequence": _integer(),
        "updated_at": Required(time),
        "log_id": Required(str),
        "deleted_at": Optional(time, nullable=True),
    }


def _artifact(time: type) -> dict[str, Any]:
    return {
        "id": PrimaryKey(str),
        "session_id": _text(),
        "run_id": _text(),
        "key": Required(str, unique=True),
        "content_type": _text(),
        "byte_size": _integer(),
        "checksum_sha256": Required(str),
        "storage_backend": Required(str),
        "storage_ref": Required(str),
        "metadata": Required(Json),
        "created_at": Required(time),
        "deleted_at": Optional(time, nullable=True),
    }
