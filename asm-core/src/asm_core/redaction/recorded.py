"""Redaction of sessions, runs, events and artifacts."""

from __future__ import annotations

import contextlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.models import Event, EventType
from asm_core.models.session import STAMP_KEY
from asm_core.redaction.redactor import sum_of
from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asm_core.models import Artifact, Run, Session, StateRecord
    from asm_core.ports import ExecutionResult
    from asm_core.redaction.redactor import Redactor
    from asm_core.values.payloads import Payload

REDACTIONS: Final = "asm_redactions"
"""The key of metadata for the number of secrets that were taken out, by category."""

ENDS_TEXT: Final = frozenset(
    {
        EventType.MESSAGE_SENT,
        EventType.MESSAGE_RECEIVED,
        EventType.TOOL_CALL_STARTED,
        EventType.TOOL_CALL_COMPLETED,
        EventType.TOOL_CALL_FAILED,
        EventType.TURN_COMPLETED,
    }
)
"""The types of events before which a streamed text ends."""


class Redaction:
    """Redacts sessions, runs and events before they are stored. Without a redactor, it returns them unchanged."""

    def __init__(self, redactor: Redactor | None) -> None:
        """Redact with `redactor`."""
        self.redactor = redactor

    def session(self, session: Session) -> Session:
        """Return a new session with redacted metadata and context."""
        if self.redactor is None:
            return session
        kept = {key: session.metadata[key] for key in (STAMP_KEY,) if key in session.metadata}
        metadata, counts = self.redactor.redact(session.metadata)
        context, more = self.redactor.redact(session.context)
        return msgspec.structs.replace(
            session, metadata=counted({**metadata, **kept}, sum_of(counts, more)), context=context
        )

    def run(self, run: Run) -> Run:
        """Return a run with redacted input, output, error and metadata."""
        if self.redactor is None:
            return run
        fields, counts = self.redactor.redact({"input": run.input, "output": run.output, "error": run.error})
        kept: Payload = {key: run.metadata[key] for key in (STAMP_KEY, REDACTIONS) if key in run.metadata}
        metadata, more = self.redactor.redact({key: run.metadata[key] for key in run.metadata if key not in kept})
        of_provider, most = self.redactor.redact(run.provider_metadata)
        return msgspec.structs.replace(
            run,
            **fields,
            metadata=counted(metadata | kept, sum_of(sum_of(counts, more), most)),
            provider_metadata=of_provider,
        )

    def event(self, event: Event) -> Event:
        """Return an event with redacted data and metadata, such as warnings that show a value."""
        if self.redactor is None:
            return event
        data, counts = self.redactor.redact(event.data)
        metadata = event.metadata
        if metadata:
            kept: Payload = {key: metadata[key] for key in (REDACTIONS,) if key in metadata}
            found, more = self.redactor.redact({key: metadata[key] for key in metadata if key not in kept})
            metadata, counts = found | kept, sum_of(counts, more)
        return msgspec.structs.replace(event, data=data, metadata=counted(metadata, counts)) if counts else event

    def artifact(self, artifact: Artifact) -> Artifact:
        """Return an artifact with redacted metadata."""
        if self.redactor is None:
            return artifact
        metadata, counts = self.redactor.redact(artifact.metadata)
        return msgspec.structs.replace(artifact, metadata=counted(metadata, counts)) if counts else artifact

    def record(self, record: StateRecord) -> StateRecord:
        """Return a record of state with a redacted value."""
        if self.redactor is None:
            return record
        redacted, _ = self.redactor.redact({"value": record.value})
        return msgspec.structs.replace(record, value=redacted["value"])

    def result(self, result: ExecutionResult) -> ExecutionResult:
        """Return what is flushed with a redacted run and events. The session is stored as it is."""
        if self.redactor is None:
            return result
        run = None if result.run is None else self.run(result.run)
        return msgspec.structs.replace(result, run=run, events=[self.event(event) for event in result.events])


def is_delta(event: Event) -> bool:
    """Return whether an event is a piece of a streamed text."""
    return event.type == EventType.MESSAGE_STREAMED and isinstance(event.data.get("delta"), str)


def stream_of(event: Event) -> bytes:
    """Return which text of its run a delta belongs to: the streams of a command are two."""
    return encode_json({key: value for key, value in event.data.items() if key not in {"delta", "base64", "time"}})


def text_of(data: Payload) -> str:
    """Return the text of a delta; bytes that are no UTF-8 are surrogates."""
    encoded = data.get("base64")
    if isinstance(encoded, str):
        with contextlib.suppress(ValueError):  # no base64
            return b64decode(encoded, validate=True).decode(errors="surrogateescape")
    text: str = data["delta"]
    return text


def with_text(data: Payload, text: str) -> Payload:
    """Return the data of a delta with another text."""
    kept: dict[str, Any] = {key: value for key, value in data.items() if key != "base64"}
    raw = text.encode(errors="surrogateescape")
    try:
        return {**kept, "delta": raw.decode()}
    except UnicodeDecodeError:
        return {**kept, "delta": raw.decode(errors="replace"), "base64": b64encode(raw).decode()}


def counted(metadata: Payload, counts: Mapping[str, int]) -> Payload:
    """Return metadata with counts; those that it has are added."""
    if not any(counts.values()):
        return metadata
    before = metadata.get(REDACTIONS)
    return {**metadata, REDACTIONS: sum_of(before if isinstance(before, dict) else {}, counts)}
