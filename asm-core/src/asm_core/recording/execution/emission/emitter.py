"""The `emit` of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from asm_core.conversation.shapes import WARNINGS, shape_warnings
from asm_core.errors import ValidationError, short_repr
from asm_core.event_log.batches import CheckedEvents
from asm_core.models import Event, EventType
from asm_core.models.statuses import check_new_type
from asm_core.ports import ToolDecision
from asm_core.recording.lifecycle.metering import METERED
from asm_core.recording.lifecycle.outcomes import RUN_ENDS
from asm_core.values.ids import new_ids
from asm_core.values.payloads import encode_json
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.conversation import Transcript
    from asm_core.models import Run
    from asm_core.recording.execution.emission.redacting import RedactingRecorder
    from asm_core.recording.lifecycle.metering import Meter
    from asm_core.recording.policies import Guard
    from asm_core.tracing.run_trace import RunTrace
    from asm_core.values.payloads import Payload

_SLICE: Final = 512
"""The largest number of events built at once; only these are outside the recorder's bounds."""

_OF_THE_MANAGER: Final = frozenset({EventType.RUN_STARTED, *RUN_ENDS.values()})
"""The types of events that a manager records itself, once."""

_SINGLE: Final = METERED | {EventType.TOOL_CALL_STARTED, EventType.TOOL_CALL_COMPLETED, EventType.TOOL_CALL_FAILED}
"""The types of events that are counted, checked or traced one by one."""


class Emitter:
    """The `asm_core.ports.Emit` of one run: passes its events to the recorder.

    Attributes:
        guard: checks the policies, if there are any.
        trace: the spans of the run, if it is traced.
    """

    def __init__(
        self, run: Run, recorder: RedactingRecorder, meter: Meter, read_transcript: Callable[[], Transcript]
    ) -> None:
        self._run = run
        self._recorder = recorder
        self._meter = meter
        self._read_transcript = read_transcript
        self.guard: Guard | None = None
        self.trace: RunTrace | None = None

    @property
    def is_full(self) -> bool:
        """Whether the next event may have to wait until others are stored."""
        return not self._recorder.has_room()

    def __call__(self, type: EventType | str, data: Mapping[str, Any]) -> None:  # noqa: A002  the name of the field
        """Emit an event with this type and data.

        Raises:
            ValidationError: there is no such type, or the data cannot be kept.
            StorageError: events could not be stored.
        """
        if not isinstance(data, Mapping):
            message = f"data must be a dict, not {short_repr(data)}."
            raise ValidationError(message)
        kind, fields = check_new_type(type), dict(data)
        if kind in _OF_THE_MANAGER:
            return
        if self.guard is not None:
            self.guard.on_event(kind, fields)
        self.record(kind, fields)
        if self.trace is not None:
            self.trace.on_event(kind, fields)

    def record(self, kind: str, fields: Mapping[str, Any], *, waits: bool = True) -> None:
        """Record an event of the run; while the queue of events is full, wait only if `waits` is set.

        Raises:
            ValidationError: the data cannot be kept.
            StorageError: events could not be stored.
        """
        run = self._run
        warnings = shape_warnings(kind, fields)
        if kind in METERED:
            fields, warnings = self._meter.take(EventType(kind), dict(fields))
        metadata = {WARNINGS: warnings} if warnings else {}
        event = Event.new(
            type=kind,
            session_id=run.session_id,
            run_id=run.id,
            provider=run.provider,
            data=dict(fields),
            metadata=metadata,
        )
        self._recorder.put(CheckedEvents([event]), len(encode_json(event.data)), waits=waits)

    def transcript(self) -> Transcript:
        """Return the conversation so far, after all events that were emitted are stored.

        Raises:
            StorageError: events could not be stored.
        """
        self._recorder.settle()
        return self._read_transcript()

    def approve_tool(self, tool_call_id: str, tool_name: str, tool_input: Any) -> ToolDecision:
        """Return whether the policies allow this call; wait for the decision of a person where one asks.

        Raises:
            StorageError: the sums of a budget could not be read.
        """
        if self.guard is None:
            return ToolDecision(allowed=True)
        self._recorder.settle()  # the calls before count
        return self.guard.decide(tool_call_id, tool_name, tool_input)

    def many(self, type: EventType, items: list[Payload], size: int) -> None:  # noqa: A002  the field's name
        """Emit an event for each of `items`, of about `size` bytes in total: a tenth of the cost of single events.

        The payloads must consist of JSON types, like those of `asm_core.commands.Lines`, and must not change later:
        they are not checked.

        Raises:
            StorageError: events could not be stored.
        """
        if type in _SINGLE:
            for item in items:
                self(type, item)
            return
        if self.guard is not None and items:
            self.guard.on_event(type, items[0])
        run = self._run
        session_id, run_id, provider = run.session_id, run.id, run.provider
        for start in range(0, len(items), _SLICE):
            now = utc_now()
            slice_ = items[start : start + _SLICE]
            events = CheckedEvents(
                Event(
                    id=event_id,
                    type=type,
                    timestamp=now,
                    session_id=session_id,
                    run_id=run_id,
                    data=data,
                    provider=provider,
                )
                for event_id, data in zip(new_ids("evt", len(slice_)), slice_, strict=True)
            )
            self._recorder.put(events, size * len(events) // len(items))
