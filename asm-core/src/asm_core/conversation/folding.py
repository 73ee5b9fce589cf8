"""Conversion of events to messages, one event after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from asm_core.conversation.messages import TEXT, TOOL_CALL, Message
from asm_core.conversation.references import reference_in
from asm_core.models import EventType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asm_core.models import StoredEvent
    from asm_core.values.payloads import Payload

INTERRUPTED: Final = "The call was interrupted before it had a result."
"""The result of a call of a tool that has none."""

RETRY: Final = "retry_in"
"""The key in the data of error_occurred if the provider is called again: what was streamed before is void."""

_TAKEN: Final = frozenset(
    {
        EventType.MESSAGE_SENT,
        EventType.MESSAGE_RECEIVED,
        EventType.MESSAGE_STREAMED,
        EventType.TOOL_CALL_STARTED,
        EventType.TOOL_CALL_COMPLETED,
        EventType.TOOL_CALL_FAILED,
        EventType.ERROR_OCCURRED,
        EventType.RUN_COMPLETED,
        EventType.RUN_FAILED,
        EventType.RUN_CANCELLED,
        EventType.RUN_TIMEOUT,
    }
)


class _Turn(msgspec.Struct):
    """What a run has begun.

    Attributes:
        deltas: the streamed text that no message contains yet.
        output: the streamed output of its tools, by stream.
        calls: the calls without a result: the name of the tool, by the id of the call.
        called: the ids of all calls.
        provider: the provider of the run.
    """

    deltas: list[str] = []
    output: dict[str, list[str]] = {}
    calls: dict[str, str | None] = {}
    called: set[str] = set()
    provider: str | None = None

    def call(self, call_id: str, name: str | None) -> None:
        self.calls[call_id] = name
        self.called.add(call_id)

    def copied(self) -> _Turn:
        output = {stream: list(texts) for stream, texts in self.output.items()}
        return _Turn(list(self.deltas), output, dict(self.calls), set(self.called), self.provider)


class Folding:
    """Converts the events of a log to messages.

    The deltas of a message are void once the message is complete. A run that ends leaves what it has streamed as a
    message, and each call of a tool without a result gets one that says so. `finished` does the same for runs that have
    not ended. Events without the fields of their shape are skipped, such as redacted ones.
    """

    def __init__(self, messages: Iterable[Message] = (), turns: Mapping[str | None, _Turn] | None = None) -> None:
        self.messages = list(messages)
        self._turns = {run_id: turn.copied() for run_id, turn in (turns or {}).items()}

    def copied(self) -> Self:
        """Return a copy that changes independently."""
        return type(self)(self.messages, self._turns)

    def take(self, events: Iterable[StoredEvent]) -> None:
        """Add events, in the order of their numbers."""
        for event in events:
            if event.type in _TAKEN:
                turn = self._turns.setdefault(event.run_id, _Turn())
                turn.provider = event.provider or turn.provider
                self._take(event, turn)

    def finished(self) -> list[Message]:
        """Return all messages, also those of what runs have begun."""
        copy = self.copied()
        copy.settle()
        return copy.messages

    def settle(self) -> None:
        """End what the runs that have not ended have begun."""
        last = self.messages[-1].sequence_number if self.messages else 0
        for run_id, turn in self._turns.items():
            self._settle(turn, run_id, last, interrupted=True)

    # -- events ----------------------------------------------------------------------------------------------------

    def _take(self, event: StoredEvent, turn: _Turn) -> None:
        match event.type:
            case EventType.MESSAGE_SENT | EventType.MESSAGE_RECEIVED:
                self._take_message(event, turn)
            case EventType.MESSAGE_STREAMED:
                _take_delta(event, turn)
            case EventType.TOOL_CALL_STARTED:
                self._take_call(event, turn)
            case EventType.TOOL_CALL_COMPLETED | EventType.TOOL_CALL_FAILED:
                failed = event.type == EventType.TOOL_CALL_FAILED
                self._answer(event, turn, event.data.get("error" if failed else "tool_output"), is_error=failed)
            case EventType.ERROR_OCCURRED if RETRY in event.data:
                turn.deltas.clear()
            case EventType.ERROR_OCCURRED:
                pass
            case _:
                interrupted = event.type != EventType.RUN_COMPLETED
                self._settle(turn, event.run_id, event.sequence_number, interrupted=interrupted)
                del self._turns[event.run_id]

    def _take_message(self, event: StoredEvent, turn: _Turn) -> None:
        data = event.data
        sent = event.type == EventType.MESSAGE_SENT
        role = data["role"] if isinstance(data.get("role"), str) else "user" if sent else "assistant"
        content = data.get("content", data.get("text"))
        if role == "tool":
            self._answer(event, turn, data.get("content"), is_error=bool(data.get("is_error")))
        elif isinstance(content, str | list):
            if role == "assistant":
                turn.deltas.clear()
            message = _message(event, role=role, content=content)
            for call in message.tool_calls:
                if isinstance(call.get("tool_call_id"), str):
                    turn.call(call["tool_call_id"], call.get("tool_name"))
            self.messages.append(message)

    def _take_call(self, event: StoredEvent, turn: _Turn) -> None:
        call_id = event.data.get("tool_call_id")
        turn.output.clear()
        if not isinstance(call_id, str) or call_id in turn.called:
            return
        part = {
            "type": TOOL_CALL,
            "tool_call_id": call_id,
            "tool_name": event.data.get("tool_name"),
            "tool_input": event.data.get("tool_input"),
        }
        turn.call(call_id, event.data.get("tool_name"))
        last = self.messages[-1] if self.messages else None
        if not turn.deltas and last is not None and last.role == "assistant" and last.run_id == event.run_id:
            self.messages[-1] = msgspec.structs.replace(last, content=[*last.parts, part])
            return
        text = _joined(turn.deltas)
        self.messages.append(_message(event, role="assistant", content=[*text, part]))

    # -- shared ----------------------------------------------------------------------------------------------------

    def _answer(self, event: StoredEvent, turn: _Turn, content: Any, *, is_error: bool) -> None:
        call_id = event.data.get("tool_call_id")
        if not isinstance(call_id, str) or call_id not in turn.calls:
            return
        name = turn.calls.pop(call_id)
        self._insert(
            _message(
                event,
                role="tool",
                content=_with_output(content, turn),
                tool_call_id=call_id,
                tool_name=name,
                is_error=is_error,
            )
        )

    def _settle(self, turn: _Turn, run_id: str | None, number: int, *, interrupted: bool) -> None:
        """End what a run has begun."""
        about: dict[str, Any] = {"run_id": run_id, "provider": turn.provider, "sequence_number": number}
        for call_id, name in turn.calls.items():
            result = _with_output(INTERRUPTED, turn)
            self._insert(
                Message(
                    role="tool",
                    content=result,
                    tool_call_id=call_id,
                    tool_name=name,
                    is_error=True,
                    interrupted=True,
                    **about,
                )
            )
        turn.calls.clear()
        if text := "".join(turn.deltas):
            self.messages.append(Message(role="assistant", content=text, interrupted=interrupted, **about))
        turn.deltas.clear()

    def _insert(self, result: Message) -> None:
        """Insert a result of a tool after its call and the results of other calls of the same message."""
        place = self._place_of(result.run_id, result.tool_call_id)
        if place is None:
            return
        place += 1
        while place < len(self.messages) and self.messages[place].role == "tool":
            place += 1
        self.messages.insert(place, result)

    def _place_of(self, run_id: str | None, call_id: str | None) -> int | None:
        """Return the index of the message that makes this call."""
        for place in range(len(self.messages) - 1, -1, -1):
            message = self.messages[place]
            if message.run_id == run_id and any(call.get("tool_call_id") == call_id for call in message.tool_calls):
                return place
        return None


def _take_delta(event: StoredEvent, turn: _Turn) -> None:
    delta, stream = event.data.get("delta", event.data.get("text")), event.data.get("stream")
    if not isinstance(delta, str):
        return
    if isinstance(stream, str):
        turn.output.setdefault(stream, []).append(delta)
    else:
        turn.deltas.append(delta)


def _message(event: StoredEvent, **fields: Any) -> Message:
    return Message(run_id=event.run_id, provider=event.provider, sequence_number=event.sequence_number, **fields)


def _joined(deltas: list[str]) -> list[Payload]:
    """Return the streamed text as parts, and empty it."""
    text = "".join(deltas)
    deltas.clear()
    return [{"type": TEXT, "text": text}] if text else []


def _with_output(content: Any, turn: _Turn) -> Any:
    """Return the result of a tool with what it has streamed, such as the output of a command."""
    if not turn.output:
        return content
    output: dict[str, Any] = {stream: "".join(texts) for stream, texts in turn.output.items()}
    turn.output = {}
    if isinstance(content, dict) and reference_in(content) is None:
        return {**output, **content}
    return output if content is None else {**output, "result": content}
