"""The Pony entities of the tables. Core's migrations create the tables, and a test compares both."""

from __future__ import annotations

from typing import Any, NamedTuple

from pony.orm import Database, PrimaryKey, Required, Set
from pony.orm.core import Index

from asm_backend_pony.columns import integer, payload, text, time, use_aware_times
from asm_backend_pony.rows import ArtifactMethods, EventMethods, RunMethods, SessionMethods


class Models(NamedTuple):
    """The entities of one database, for queries. Write through the ports.

    Runs and events have a `session`, events a `run`; a session has `runs` and `events`, a run `events`.
    """

    SessionRow: Any
    RunRow: Any
    EventRow: Any
    SequenceRow: Any
    ArtifactRow: Any
    StateRow: Any


def define(database: Database, *, schema: str | None = None) -> Models:
    """Define the entities on a bound database whose mapping is not generated yet.

    Args:
        database: the application's database. On SQLite, its queries then compare aware times like the entities.
        schema: the PostgreSQL schema of the tables.
    """
    if database.provider.dialect == "SQLite":
        use_aware_times(database.provider)

    def entity(name: str, table: str, attributes: dict[str, Any], *methods: type) -> Any:
        place = (schema, table) if schema else table
        return type(database.Entity)(name, (*methods, database.Entity), {"_table_": place, **attributes})

    return Models(
        SessionRow=entity("SessionRow", "asm_sessions", _session(), SessionMethods),
        RunRow=entity("RunRow", "asm_runs", _run(), RunMethods),
        EventRow=entity("EventRow", "asm_events", _event(), EventMethods),
        SequenceRow=entity("SequenceRow", "asm_session_sequences", _sequence()),
        ArtifactRow=entity("ArtifactRow", "asm_artifacts", _artifact(), ArtifactMethods),
        StateRow=entity("StateRow", "asm_state", _state()),
    )


def _key() -> Any:
    return PrimaryKey(str, autostrip=False)


def _session() -> dict[str, Any]:
    return {
        "id": _key(),
        "agent_id": text(),
        "status": text(),
        "parent_session_id": text(null=True),
        "metadata": payload(),
        "context": payload(),
        "tags": payload(),
        "created_at": time(),
        "updated_at": time(),
        "deleted_at": time(null=True),
        "revision": integer(),
        "removing_at": time(null=True),
        "user_id": text(null=True),
        "title": text(null=True),
        "title_folded": text(null=True),
        "runs": Set("RunRow"),
        "events": Set("EventRow"),
    }


def _run() -> dict[str, Any]:
    return {
        "id": _key(),
        "session": Required("SessionRow", column="session_id"),
        "status": text(),
        "input": payload(null=True),
        "output": payload(null=True),
        "error": payload(null=True),
        "metadata": payload(),
        "turn_count": integer(),
        "token_usage": payload(),
        "started_at": time(),
        "ended_at": time(null=True),
        "provider": text(null=True),
        "provider_metadata": payload(),
        "cost_nanos": integer(null=True),
        "revision": integer(),
        "input_tokens": integer(),
        "output_tokens": integer(),
        "total_tokens": integer(),
        "model": text(null=True),
        "cache_read_tokens": integer(),
        "cache_write_tokens": integer(),
        "cache_write_1h_tokens": integer(),
        "reasoning_tokens": integer(),
    }


def _event() -> dict[str, Any]:
    return {
        "id": _key(),
        "session": Required("SessionRow", column="session_id"),
        "sequence_number": integer(),
        "type": text(),
        "timestamp": time(),
        "run_id": text(null=True),
        "data": payload(),
        "metadata": payload(),
        "schema_version": integer(),
        "provider": text(null=True),
        "correlation_id": text(null=True),
    }


def _sequence() -> dict[str, Any]:
    return {
        "session_id": _key(),
        "last_sequence": integer(),
        "updated_at": time(),
        "log_id": text(),
        "deleted_at": time(null=True),
        "user_id": text(null=True),
        "active_at": time(),
    }


def _artifact() -> dict[str, Any]:
    return {
        "id": _key(),
        "session_id": text(null=True),
        "run_id": text(null=True),
        "key": text(unique=True),
        "content_type": text(null=True),
        "byte_size": integer(),
        "checksum_sha256": text(),
        "storage_backend": text(),
        "storage_ref": text(),
        "metadata": payload(),
        "created_at": time(),
        "deleted_at": time(null=True),
    }


def _state() -> dict[str, Any]:
    namespace, key = text(), text()
    return {
        "namespace": namespace,
        "key": key,
        "value": payload(),
        "revision": integer(),
        "created_at": time(),
        "updated_at": time(),
        "expires_at": time(null=True),
        "_indexes_": [Index(namespace, key, is_pk=True)],
    }
