"""Redaction of the events of a run, before they are stored."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Self

import msgspec

from asm_core.errors import AsmError
from asm_core.event_log.batches import CheckedEvents
from asm_core.redaction.recorded import ENDS_TEXT, counted, is_delta, stream_of, text_of, with_text
from asm_core.values.ids import new_id
from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from asm_core.models import Event
    from asm_core.recording.execution.emission.recorder import Recorder
    from asm_core.redaction.recorded import Redaction
    from asm_core.redaction.redactor import RedactedStream


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
        if not is_delta(event):
            if event.type in ENDS_TEXT:
                yield from self._ended()
            yield self._redaction.event(event)
            return
        key = stream_of(event)
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
        self._is_clean: bool | None = None

    def feed(self, event: Event, redaction: Redaction) -> Iterable[Event]:
        """Return the event with what is certain of its text; nothing if that is empty."""
        given = text_of(event.data)
        text = self._stream.feed(given)
        self._last = self._without_text(event, redaction)
        if text == given and given and self._last.metadata == event.metadata:
            yield event
        elif text:
            yield self._with(self._last, text)

    def _without_text(self, event: Event, redaction: Redaction) -> Event:
        """Return the event without secrets in its other fields; `_with` replaces its text."""
        # All deltas of a stream have the same other fields, except a time: they are searched once.
        is_plain = not event.metadata and not isinstance(event.data.get("time"), str | list | dict)
        if is_plain and self._is_clean:
            return event
        blank = msgspec.structs.replace(event, data=with_text(event.data, ""))
        found = redaction.event(blank)
        if is_plain:
            self._is_clean = found is blank
        return found

    def end(self) -> Iterable[Event]:
        """Return an event with the rest of the text."""
        text = self._stream.end()
        if text and self._last is not None:
            yield self._with(msgspec.structs.replace(self._last, id=new_id("evt")), text)

    def _with(self, event: Event, text: str) -> Event:
        metadata = counted(event.metadata, self._stream.taken())
        return msgspec.structs.replace(event, data=with_text(event.data, text), metadata=metadata)
