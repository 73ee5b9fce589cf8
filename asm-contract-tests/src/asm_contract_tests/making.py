"""Test data: models with short defaults, and times that are easy to compare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asm_core import (
    Artifact,
    Event,
    EventType,
    ExecutionResult,
    Run,
    RunStatus,
    Session,
    SessionStatus,
    SessionStore,
    StateRecord,
    TokenUsage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

M = TypeVar("M", Artifact, Event, ExecutionResult, Run, Session, StateRecord)
R = TypeVar("R", Run, Session)

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SHA256: Final = "0123456789abcdef" * 4


def at(seconds: float) -> datetime:
    """Return the time `seconds` after noon of a fixed day."""
    return NOON + timedelta(seconds=seconds)


def days_ago(days: float) -> datetime:
    """Return the time `days` before now."""
    return datetime.now(UTC) - timedelta(days=days)


def a_session(**fields: Any) -> Session:
    """Return a new session."""
    return Session.new(**{"agent_id": "assistant", **fields})


def a_run(session: Session | str, **fields: Any) -> Run:
    """Return a new run of a session."""
    return Run.new(session_id=_id(session), **fields)


def an_event(session: Session | str, **fields: Any) -> Event:
    """Return a new event of a session."""
    return Event.new(**{"type": "message_received", "session_id": _id(session), **fields})


def some_events(session: Session | str, count: int, **fields: Any) -> list[Event]:
    """Return `count` new events of a session, with their index in the list as data."""
    return [an_event(session, **{"data": {"n": place}, **fields}) for place in range(count)]


def an_artifact(**fields: Any) -> Artifact:
    """Return a new artifact."""
    place = {"key": "report", "byte_size": 3, "checksum_sha256": SHA256, "storage_backend": "file", "storage_ref": "/r"}
    return Artifact.new(**{**place, **fields})


def a_record(**fields: Any) -> StateRecord:
    """Return a record of state that another store may have."""
    times = {"created_at": at(1), "updated_at": at(2)}
    return StateRecord(**{"namespace": "n", "key": "k", "value": {"a": 1}, "revision": 1, **times, **fields})


def changed(model: M, **fields: Any) -> M:
    """Return the model with these fields replaced, unchecked."""
    return type(model)(**{**{name: getattr(model, name) for name in model.__struct_fields__}, **fields})


def full_artifact(session: Session, **fields: Any) -> Artifact:
    """Return an artifact in which no field but `deleted_at` has its default."""
    artifact = Artifact(
        id="art_full",
        session_id=session.id,
        run_id="run_not_stored",
        key="reports/2026/summary.txt",
        content_type="text/plain; charset=utf-8",
        byte_size=2**63 - 1,
        checksum_sha256=SHA256,
        storage_backend="s3",
        storage_ref="s3://bucket/summary.txt",
        metadata={"z": 1, "a": "\0🙂"},
        created_at=at(1.000001),
    )
    return changed(artifact, **fields)


def full_event(session: Session, **fields: Any) -> Event:
    """Return an event in which no field but the number has its default."""
    event = Event(
        id="evt_full",
        type=EventType.TOOL_CALL_FAILED,
        timestamp=at(1.000001),
        session_id=session.id,
        run_id="run_not_stored",
        data={"z": 1, "a": {"nul": "\0", "emoji": "🙂"}},
        metadata={"host": "here"},
        schema_version=7,
        provider="acme",
        correlation_id="trace-1",
    )
    return changed(event, **fields)


def full_run(session: Session, **fields: Any) -> Run:
    """Return a run in which no field has its default."""
    run = Run(
        id="run_full",
        session_id=session.id,
        status=RunStatus.FAILED,
        input={"z": "question", "a": 1},
        output={"z": "answer", "a": None},
        error={"code": "broken", "trace": ["a", "b"]},
        metadata={"attempt": 2},
        turn_count=3,
        token_usage=TokenUsage({"output_tokens": 7, "input_tokens": 5, "cache_read_tokens": 2, "of_acme": 4}),
        started_at=at(1.000001),
        ended_at=at(2),
        provider="acme",
        provider_metadata={"model": "acme-1", "region": "north"},
        cost_usd=Decimal("0.000000001"),
    )
    return changed(run, **fields)


def full_session(**fields: Any) -> Session:
    """Return a session in which no field has its default."""
    session = Session(
        id="ses_full",
        agent_id="assistant",
        status=SessionStatus.PAUSED,
        parent_session_id="ses_parent",
        metadata={"z": 1, "a": [None, True, 0.5], "nested": {"": "empty key"}},
        context={"system": "Be kind. 🙂", "nul": "\0"},
        tags=("second", "first", "dritte"),
        created_at=at(1.000001),
        updated_at=at(2.999999),
    )
    return changed(session, **fields)


def as_saved(model: R, revision: int = 1) -> R:
    """Return a session or run as the store returns it after this number of saves."""
    return changed(model, revision=revision)


def deleted(session: Session, *, days: float = 0) -> Session:
    """Return the session as soft-deleted `days` ago."""
    return changed(session, deleted_at=days_ago(days))


def soft_deleted(store: SessionStore, session: Session, *, days: float = 0) -> Session:
    """Store the session, or mark the stored one, as soft-deleted `days` ago; return it."""
    copy = as_saved(deleted(session, days=days), session.revision or 1)
    store.restore_session(copy, replace=True)
    return copy


def ids(items: Any) -> list[str]:
    """Return the ids of models, in their order."""
    return [item.id for item in items]


def numbers(events: Iterable[Event]) -> list[int | None]:
    """Return the sequence numbers of events, in their order."""
    return [event.sequence_number for event in events]


def _id(session: Session | str) -> str:
    return session if isinstance(session, str) else session.id


def label(value: object) -> str | None:
    """Return the id of a test with the parameter `value`; for a dict of fields, their names."""
    return "+".join(map(str, value)) if isinstance(value, dict) and value else None
