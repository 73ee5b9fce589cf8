"""Storage of large values of events as artifacts."""

from __future__ import annotations

from operator import is_not
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.conversation.messages import TEXT, TOOL_CALL
from asm_core.conversation.references import (
    as_value,
    encoded_json,
    encoded_text,
    reference_in,
    reference_to,
    resolve_references,
)
from asm_core.errors import AlreadyExistsError, ValidationError, short_repr
from asm_core.event_log.batches import CheckedEvents
from asm_core.models import EventType
from asm_core.models.base import check_natural
from asm_core.ports import Artifacts
from asm_core.redaction.redactor import VERBATIM
from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from asm_core.conversation.references import Encoded
    from asm_core.models import Event, Run
    from asm_core.ports import ExecutionResult
    from asm_core.values.payloads import Payload

OFFLOAD_OVER: Final = 65_536
"""The default size in bytes over which a value becomes an artifact."""

_MESSAGES: Final = frozenset({EventType.MESSAGE_SENT, EventType.MESSAGE_RECEIVED})
_OF_TOOLS: Final = {
    EventType.TOOL_CALL_STARTED: ("tool_input",),
    EventType.TOOL_APPROVAL_REQUESTED: ("tool_input",),
    EventType.TOOL_CALL_COMPLETED: ("tool_output",),
    EventType.TOOL_CALL_FAILED: ("tool_output", "error"),
}
"""The fields of events that hold what a tool got or returned."""
_KEPT: Final = VERBATIM | {TEXT, "refusal"}
"""The types of parts that stay in the event: what was written or thought."""
_MEDIA_TYPES: Final = ("media_type", "mime_type", "mimeType")


class Offloading:
    """Puts large values of events and of the input of runs into artifacts, and replaces them by references.

    An artifact is stored and registered before the event that refers to it. Its key is made of the session and the hash
    of the content, so that a retry finds it. Without artifacts, everything is returned unchanged.
    """

    def __init__(self, artifacts: Artifacts | None, over: int) -> None:
        """Store values of more than `over` bytes in `artifacts`.

        Raises:
            ValidationError: `artifacts` are no `Artifacts`, or `over` is no natural number.
        """
        if artifacts is not None and not isinstance(artifacts, Artifacts):
            message = f"artifacts must be those of backend.artifacts(store), not {short_repr(artifacts)}."
            raise ValidationError(message)
        self.artifacts = artifacts
        self._over = check_natural("offload_over", over)

    def events(self, events: CheckedEvents) -> CheckedEvents:
        """Return events whose large values are stored.

        Raises:
            StorageError: an artifact could not be stored.
        """
        if self.artifacts is None:
            return events
        done = [self._event(event) for event in events]
        return CheckedEvents(done) if any(map(is_not, done, events)) else events

    def run(self, run: Run) -> Run:
        """Return a run whose input has its large values stored; see `events`."""
        if self.artifacts is None or run.input is None:
            return run
        given = _Offloaded(self.artifacts, self._over, run.session_id, run.id).input(run.input)
        return msgspec.structs.replace(run, input=given)

    def result(self, result: ExecutionResult) -> ExecutionResult:
        """Return what is flushed, with the large values of its run and events stored; see `events`."""
        if self.artifacts is None:
            return result
        run = None if result.run is None else self.run(result.run)
        return msgspec.structs.replace(result, run=run, events=[self._event(event) for event in result.events])

    def is_large(self, result: ExecutionResult) -> bool:
        """Return whether a value of what is flushed may be stored as an artifact."""
        if self.artifacts is None:
            return False
        values = [event.data for event in result.events] + ([] if result.run is None else [result.run.input])
        return any(len(encode_json(value)) > self._over for value in values)

    def resolved(self, run: Run) -> Run:
        """Return a stored run with its whole input.

        Raises:
            NotFoundError: an artifact does not exist.
            StorageError: an artifact cannot be read, or is not what was stored.
        """
        if self.artifacts is None or run.input is None:
            return run
        return msgspec.structs.replace(run, input=resolve_references(run.input, self.artifacts))

    def _event(self, event: Event) -> Event:
        if self.artifacts is None or not (event.type in _MESSAGES or event.type in _OF_TOOLS):
            return event
        if len(encode_json(event.data)) <= self._over:
            return event
        offloaded = _Offloaded(self.artifacts, self._over, event.session_id, event.run_id)
        return msgspec.structs.replace(event, data=offloaded.data(event.type, event.data))


class _Offloaded:
    """The values of one event or run; references replace large ones."""

    def __init__(self, artifacts: Artifacts, over: int, session_id: str, run_id: str | None) -> None:
        self._artifacts = artifacts
        self._over = over
        self._session_id = session_id
        self._run_id = run_id

    def data(self, kind: str, data: Payload) -> Payload:
        """Return the data of an event of this type."""
        if kind in _MESSAGES:
            return self.message(data)
        fields = _OF_TOOLS[EventType(kind)]
        return {name: self._value(value) if name in fields else value for name, value in data.items()}

    def input(self, given: Payload) -> Payload:
        """Return the input of a run."""
        messages = given.get("messages")
        if not isinstance(messages, list):
            return given
        done = [self.message(message) if isinstance(message, dict) else message for message in messages]
        return {**given, "messages": done}

    def message(self, message: Payload) -> Payload:
        """Return the data of a message. Its texts stay, so that they can be searched and read without artifacts."""
        content = message.get("content")
        if message.get("role") == "tool":
            return {**message, "content": self._value(content)} if "content" in message else message
        return {**message, "content": list(map(self._part, content))} if isinstance(content, list) else message

    def _part(self, part: Any) -> Any:
        if not isinstance(part, dict) or part.get("type") in _KEPT:
            return part
        values = ("tool_input",) if part.get("type") == TOOL_CALL else set(part) - {"type"}
        return {name: self._value(value) if name in values else value for name, value in part.items()}

    def _value(self, value: Any) -> Any:
        """Return a value with references to its large texts; or, if it is large for another reason, to all of it."""
        if not self._is_large(value):
            return value
        done = self._texts(value)
        return self._stored(encoded_json(value)) if self._is_large(done) else done

    def _texts(self, value: Any, media_type: object = None) -> Any:
        if isinstance(value, str):
            return self._stored(encoded_text(value, media_type)) if self._is_large(value) else value
        if isinstance(value, list):
            return [self._texts(item) for item in value]
        if not isinstance(value, dict) or reference_in(value) is not None:
            return value
        kinds = (value[name] for name in _MEDIA_TYPES if name in value)
        media_type = next(kinds, None)
        return {name: self._texts(item, media_type) for name, item in value.items()}

    def _is_large(self, value: Any) -> bool:
        return len(encode_json(value)) > self._over and reference_in(value) is None

    def _stored(self, encoded: Encoded) -> Payload:
        """Store content, unless it is stored; return the reference to it."""
        reference = reference_to(self._session_id, encoded)
        if self._artifacts.find(reference.key) is None:
            try:
                self._artifacts.put(
                    reference.key,
                    encoded.data,
                    session_id=self._session_id,
                    run_id=self._run_id,
                    content_type=encoded.content_type,
                )
            except AlreadyExistsError:
                if self._artifacts.find(reference.key) is None:
                    raise
                # Another process has stored the same content meanwhile.
        return as_value(reference)
