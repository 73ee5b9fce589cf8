"""Test data: models with short defaults, and times that are easy to compare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from asm_core import Artifact, Event, Run, Session, SessionStore

M = TypeVar("M", Artifact, Event, Run, Session)
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


def changed(model: M, **fields: Any) -> M:
    """Return the model with these fields replaced, unchecked."""
    return type(model)(**{**{name: getattr(model, name) for name in model.__struct_fields__}, **fields})


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


def numbers(events: list[Event]) -> list[int | None]:
    """Return the sequence numbers of events, in their order."""
    return [event.sequence_number for event in events]


def _id(session: Session | str) -> str:
    return session if isinstance(session, str) else session.id


def label(value: object) -> str | None:
    """Return the id of a test with the parameter `value`; for a dict of fields, their names."""
    return "+".join(map(str, value)) if isinstance(value, dict) and value else None
