"""Redaction of what a manager records."""

from __future__ import annotations

import contextlib
import threading
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from asm_core.errors import AsmError
from asm_core.event_log.batches import CheckedEvents
from asm_core.models import Event, EventType
from asm_core.models.session import STAMP_KEY
from asm_core.recording.redaction.redactor import sum_of
from asm_core.values.ids import new_id
from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from asm_core.models import Run, Session
    from asm_core.ports import ExecutionResult
    from asm_core.recording.recorder import Recorder
    from asm_core.recording.redaction.redactor import RedactedStream, Redactor
    from asm_core.values.payloads import Payload

REDACTIONS: Final = "asm_redactions"
"""The key of metadata for the number of secrets that were taken out, by category."""

_ENDS_TEXT: Final = frozenset(
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
            session, metadata=_counted({**metadata, **kept}, sum_of(counts, more)), context=context
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
            metadata=_counted(metadata | kept, sum_of(sum_of(counts, more), most)),
            provider_metadata=of_provider,
        )

    def event(self, event: Event) -> Event:
        """Return an event with redacted data."""
        if self.redactor is None:
            return event
        data, counts = self.redactor.redact(event.data)
        return msgspec.structs.replace(event, data=data, metadata=_counted(event.metadata, counts)) if counts else event

    def result(self, result: ExecutionResult) -> ExecutionResult:
        """Return what is flushed with a redacted run and events. The session is stored as it is."""
        if self.redactor is None:
            return result
        run = None if result.run is None else self.run(result.run)
        return msgspec.structs.replace(result, run=run, events=[self.event(event) for event in result.events])


class RedactingRecorder:
    """A `Recorder` that redacts events, and joins streamed deltas so that a secret in several of them is found."""

    def __init__(self, recorder: Recorder, redaction: Redaction) -> None:
        """Pass events on to `recorder`."""
        self._recorder = recorder
        self._redaction = redaction
        self._lock = threading.Lock()
        self._streams: dict[bytes, _Deltas] = {}

    def __enter__(self) -> Self:
        """Return the recorder."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Queue what is held back, at the end of the run. If events cannot be stored, the recorder has the error."""
        with contextlib.suppress(AsmError):
            self.end()

    def put(self, events: CheckedEvents, size: int, *, waits: bool = True) -> None:
        """Queue redacted events; see `Recorder.put`."""
        if self._redaction.redactor is None:
            self._recorder.put(events, size, waits=waits)
            return
        if waits:
            self._recorder.wait_for_room()  # without the lock, for those that do not wait
        with self._lock:
            done = CheckedEvents(redacted for event in events for redacted in self._redacted(event))
            if done:
                self._recorder.put(done, size, waits=False)

    def settle(self) -> None:
        """Queue what is held back, and wait until all events are stored; see `Recorder.settle`."""
        self.end()
        self._recorder.settle()

    def has_room(self) -> bool:
        """Return whether `put` would not block."""
        return self._recorder.has_room()

    def end(self) -> None:
        """Queue what is held back, at the end of the streams."""
        with self._lock:
            rest = CheckedEvents(self._ended())
            if rest:
                self._recorder.put(rest, sum(len(encode_json(event.data)) for event in rest), waits=False)

    def _redacted(self, event: Event) -> Iterable[Event]:
        if event.type != EventType.MESSAGE_STREAMED or not isinstance(event.data.get("delta"), str):
            if event.type in _ENDS_TEXT:
                yield from self._ended()
            yield self._redaction.event(event)
            return
        others = {key: value for key, value in event.data.items() if key not in {"delta", "base64", "time"}}
        key = encode_json(others)
        if key not in self._streams:
            self._streams[key] = _Deltas(self._redaction.redactor.stream())  # type: ignore[union-attr]  # put checks it
        yield from self._streams[key].feed(event, self._redaction)

    def _ended(self) -> Iterable[Event]:
        streams, self._streams = self._streams, {}
        for deltas in streams.values():
            yield from deltas.end()


class _Deltas:
    """The deltas of one stream."""

    def __init__(self, stream: RedactedStream) -> None:
        self._stream = stream
        self._last: Event | None = None

    def feed(self, event: Event, redaction: Redaction) -> Iterable[Event]:
        """Return the event with what is certain of its text; nothing if that is empty."""
        given = _text_of(event.data)
        text = self._stream.feed(given)
        self._last = redaction.event(msgspec.structs.replace(event, data=_with_text(event.data, "")))
        if text == given and given:
            yield event if self._last.metadata == event.metadata else self._with(event, text)
        elif text:
            yield self._with(event, text)

    def end(self) -> Iterable[Event]:
        """Return an event with the rest of the text."""
        text = self._stream.end()
        if text and self._last is not None:
            yield self._with(msgspec.structs.replace(self._last, id=new_id("evt")), text)

    def _with(self, event: Event, text: str) -> Event:
        metadata = _counted(event.metadata, self._stream.taken())
        return msgspec.structs.replace(event, data=_with_text(event.data, text), metadata=metadata)


def _text_of(data: Payload) -> str:
    """Return the text of a delta; bytes that are no UTF-8 are surrogates."""
    encoded = data.get("base64")
    if isinstance(encoded, str):
        with contextlib.suppress(ValueError):  # no base64
            return b64decode(encoded, validate=True).decode(errors="surrogateescape")
    text: str = data["delta"]
    return text


def _with_text(data: Payload, text: str) -> Payload:
    kept: dict[str, Any] = {key: value for key, value in data.items() if key != "base64"}
    raw = text.encode(errors="surrogateescape")
    try:
        return {**kept, "delta": raw.decode()}
    except UnicodeDecodeError:
        return {**kept, "delta": raw.decode(errors="replace"), "base64": b64encode(raw).decode()}


def _counted(metadata: Payload, counts: Mapping[str, int]) -> Payload:
    """Return metadata with counts; those that it has are added."""
    if not any(counts.values()):
        return metadata
    before = metadata.get(REDACTIONS)
    return {**metadata, REDACTIONS: sum_of(before if isinstance(before, dict) else {}, counts)}
