"""A provider that follows a script."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.conversation.messages import TEXT, TOOL_CALL
from asm_core.errors import ProviderError, ValidationError, short_repr
from asm_core.ports import Provider, ProviderCapability, ProviderResult
from asm_core.tracing import in_tool
from asm_core.values.ids import new_id
from asm_core.values.payloads import Payload

if TYPE_CHECKING:
    from asm_core.conversation import Message
    from asm_core.models import Run, Session
    from asm_core.ports import Emit

_USAGE: Final = {"input_tokens": 10, "output_tokens": 5}


class FakeTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One response of a model that does not exist.

    Attributes:
        text: its text; streamed word by word.
        tool_calls: the tools that it calls, with their input.
        usage: its token usage.
        delay: seconds before it, and before each of its words.
        error: raised after the text is streamed, instead of a response.
        stop_reason: why the response ended.
    """

    text: str = ""
    tool_calls: Sequence[tuple[str, Payload]] = ()
    usage: Mapping[str, Any] = msgspec.field(default_factory=lambda: dict(_USAGE))
    delay: float = 0.0
    error: BaseException | None = None
    stop_reason: str = "end_turn"


class FakeProvider(Provider):
    """A provider for tests: each call of its model takes the next turn of a script.

    It emits what a provider of a real model emits, calls tools until a turn calls none, and can be cancelled at any
    word. A run for which no turn is left fails. Runs of several threads share the script.

    Attributes:
        requests: the conversation that each turn received.

    >>> import asm_core as asm
    >>> from asm_core.testing import FakeProvider
    >>> with asm.open_backend("memory") as backend:
    ...     manager = asm.SessionManager(backend.session_store, FakeProvider(["Hello!"]))
    ...     manager.run_once("hi").output
    {'content': 'Hello!', 'stop_reason': 'end_turn'}
    """

    capabilities = frozenset({ProviderCapability.HISTORY, ProviderCapability.STREAMING, ProviderCapability.TOOLS})

    def __init__(
        self,
        turns: Iterable[FakeTurn | str | BaseException],
        *,
        tools: Mapping[str, Callable[..., Any]] | None = None,
        name: str = "fake",
        model: str = "fake-model",
    ) -> None:
        """Follow a script.

        Args:
            turns: its turns; a text is a turn with this text, an error a turn that fails.
            tools: the functions that turns can call, by name; they get the input as keyword arguments.
            name: the name of the provider.
            model: the name of the model.

        Raises:
            ValidationError: a turn is of another type.
        """
        self.name = name
        self.requests: list[list[Message]] = []
        self._model = model
        self._tools = dict(tools or {})
        self._turns = iter([_turn(given) for given in turns])
        self._lock = threading.Lock()
        self._cancelled: dict[str, threading.Event] = {}

    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:  # noqa: ARG002  the signature of the port
        """Take turns until one calls no tool.

        Raises:
            ProviderError: no turn is left, or the run was cancelled.
        """
        cancelled = self._cancelled.setdefault(run.id, threading.Event())
        try:
            while True:
                turn = self._next(list(emit.transcript()))
                response_id = new_id("fake")
                result = self._respond(turn, response_id, emit, cancelled)
                if not turn.tool_calls:
                    return result
        finally:
            del self._cancelled[run.id]

    def cancel(self, run_id: str) -> None:
        """Cancel a run at its next word."""
        cancelled = self._cancelled.get(run_id)
        if cancelled is not None:
            cancelled.set()

    def _next(self, conversation: list[Message]) -> FakeTurn:
        with self._lock:
            self.requests.append(conversation)
            turn = next(self._turns, None)
        if turn is None:
            message = f"The script of FakeProvider has no turn left; {len(self.requests)} were asked for."
            raise ProviderError(message)
        return turn

    def _respond(self, turn: FakeTurn, response_id: str, emit: Emit, cancelled: threading.Event) -> ProviderResult:
        for word in _words(turn.text) or [""]:
            if cancelled.wait(turn.delay):
                message = "The run was cancelled."
                raise ProviderError(message, details={"cancelled": True})
            if word:
                emit("message_streamed", {"delta": word})
        if turn.error is not None:
            raise turn.error
        calls = [
            {"type": TOOL_CALL, "tool_call_id": new_id("call"), "tool_name": name, "tool_input": dict(arguments)}
            for name, arguments in turn.tool_calls
        ]
        text: list[Payload] = [{"type": TEXT, "text": turn.text}] if turn.text else []
        about = {"model": self._model, "stop_reason": "tool_use" if calls else turn.stop_reason}
        content = [*text, *calls] if calls else turn.text
        emit("message_received", {"role": "assistant", "content": content, **about, "response_id": response_id})
        emit("token_usage_updated", {"usage": turn.usage, "model": self._model, "response_id": response_id})
        emit("turn_completed", about)
        for call in calls:
            self._call({name: call[name] for name in ("tool_call_id", "tool_name", "tool_input")}, emit)
        return ProviderResult(
            output={"content": turn.text, "stop_reason": about["stop_reason"]},
            provider_metadata={"model": self._model, "response_id": response_id},
        )

    def _call(self, call: Payload, emit: Emit) -> None:
        decision = emit.approve_tool(**call)
        if not decision.allowed:
            emit("tool_call_failed", {**call, "error": decision.reason or "The call was denied."})
            return
        emit("tool_call_started", call)
        named = {name: call[name] for name in ("tool_call_id", "tool_name")}
        try:
            tool = self._tools[call["tool_name"]]
            with in_tool(call["tool_call_id"]):
                output = tool(**call["tool_input"])
        except KeyError:
            emit("tool_call_failed", {**named, "error": f"There is no tool {call['tool_name']!r}."})
        except Exception as error:  # noqa: BLE001  a tool may raise anything, and the model goes on
            emit("tool_call_failed", {**named, "error": str(error)})
        else:
            emit("tool_call_completed", {**named, "tool_output": output})


def _turn(given: FakeTurn | str | BaseException) -> FakeTurn:
    if isinstance(given, FakeTurn):
        return given
    if isinstance(given, str):
        return FakeTurn(text=given)
    if isinstance(given, BaseException):
        return FakeTurn(error=given)
    message = f"A turn must be a FakeTurn, a text or an error, not {short_repr(given)}."
    raise ValidationError(message)


def _words(text: str) -> list[str]:
    """Divide a text after each space, so that the words joined are the text."""
    words = text.split(" ")
    return [f"{word} " for word in words[:-1]] + words[-1:] if text else []
