"""The loop of a model and its tools."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.conversation.messages import TOOL_CALL, Message
from asm_core.errors import AsmError, ProviderError, ValidationError
from asm_core.escaping import described
from asm_core.models import EventType, TokenUsage
from asm_core.models.base import check_natural
from asm_core.ports import AsyncProvider, ProviderCapability, ProviderResult
from asm_core.providing.tools import Tool
from asm_core.tracing import in_tool, model_call
from asm_core.values.payloads import Payload

if TYPE_CHECKING:
    from asm_core.models import Run, Session
    from asm_core.ports import AsyncEmit

StreamText = Callable[[str], Awaitable[None]]
"""Passes a piece of text on while the model writes it."""

MAX_TOOL_ROUNDS: Final = 50
CANCELLED: Final = "The call was cancelled."
HIDDEN: Final = "…"


class ModelResponse(msgspec.Struct, kw_only=True):
    """One response of a model, filled in while it arrives.

    Attributes:
        content: the parts of its message, in the model's order; a call of a tool has the type ``tool_call``.
        model: the model that answered.
        stop_reason: the vendor's reason.
        response_id: the vendor's id.
        usage: the vendor's usage, as `TokenUsage.from_provider` reads it.
        is_paused: the vendor continues this response in the next one.
        error: raised after the response is recorded, such as the refusal of a content filter.
    """

    content: list[Payload] = []
    model: str | None = None
    stop_reason: str | None = None
    response_id: str | None = None
    usage: Payload | None = None
    is_paused: bool = False
    error: ProviderError | None = None


class ModelProvider(AsyncProvider):
    """A provider of a model with tools. A subclass writes `respond`, one call of the model.

    A run gives the conversation so far to the model and runs the tools that it calls, one after the other. It ends with
    the response that calls none. The output of the run is ``{"content": text, "stop_reason": ...}``.

    Attributes:
        tools: the callables, by name.
        vendor_tools: the vendor's own tools.
        secrets: keys, which are removed from the messages of errors.
        model: the id of the model, for spans.
        settings: fields of the requests, such as ``temperature``, for spans.
    """

    capabilities = frozenset({ProviderCapability.HISTORY, ProviderCapability.STREAMING, ProviderCapability.TOOLS})

    def __init__(self, *, tools: Sequence[Callable[..., Any] | Tool | Payload], max_tool_rounds: int) -> None:
        """Offer `tools` to the model.

        Args:
            tools: callables, and the vendor's own tools as dicts, which are passed on unchanged.
            max_tool_rounds: the largest number of responses of a run that call tools.

        Raises:
            ValidationError: a callable cannot be described, two tools have the same name, or a number is invalid.
        """
        self.vendor_tools = [tool for tool in tools if isinstance(tool, dict)]
        self.tools = Tool.of(tool for tool in tools if not isinstance(tool, dict))
        self.secrets: tuple[str, ...] = ()
        self.model = ""
        self.settings: Payload = {}
        self._max_rounds = check_natural("max_tool_rounds", max_tool_rounds)

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Any]:
        """Return the vendor's client for one run. It is closed when the run ends.

        Raises:
            ProviderError: there is no key.
        """

    @abstractmethod
    async def respond(
        self, client: Any, messages: Sequence[Message], response: ModelResponse, stream_text: StreamText
    ) -> None:
        """Call the model once, and fill in `response` while its answer arrives.

        Args:
            client: the client of the run.
            messages: the conversation so far.
            response: to be filled in.
            stream_text: to be awaited with each piece of text.

        Raises:
            ProviderError: the call failed; one kind for each reason.
        """

    async def execute(self, run: Run, session: Session, emit: AsyncEmit) -> ProviderResult:  # noqa: ARG002  the port's
        """Answer the conversation.

        Raises:
            ProviderError: the model could not be called, or still called tools after the last round.
        """
        messages = _complete(list((await emit.transcript()).messages))
        async with self.connect() as client:
            return await self._converse(client, messages, run, emit)

    async def _converse(self, client: Any, messages: list[Message], run: Run, emit: AsyncEmit) -> ProviderResult:
        rounds = 0
        while True:
            response = await self._response(client, messages, emit)
            if response.error is not None:
                raise response.error
            message = Message(role="assistant", content=response.content, provider=self.name, run_id=run.id)
            messages.append(message)
            if not message.tool_calls and not response.is_paused:
                return ProviderResult(
                    output={"content": message.text, "stop_reason": response.stop_reason},
                    provider_metadata={"model": response.model, "response_id": response.response_id},
                )
            if rounds == self._max_rounds:
                text = f"The model still calls tools after {rounds} rounds. Raise max_tool_rounds, or check its tools."
                raise ProviderError(text, details={"max_tool_rounds": rounds})
            rounds += 1
            messages += [await self._call_tool(call, run, emit) for call in message.tool_calls]

    async def _response(self, client: Any, messages: Sequence[Message], emit: AsyncEmit) -> ModelResponse:
        """Call the model, and emit the events of its response; of an interrupted one, what is known."""
        response = ModelResponse()

        async def stream_text(delta: str) -> None:
            if delta:
                await emit(EventType.MESSAGE_STREAMED, {"delta": delta})

        try:
            with model_call(partial(self._traced, client), partial(_answered, response)):
                await self.respond(client, messages, response, stream_text)
        except BaseException as error:
            with suppress(AsmError):
                await _emit_usage(response, emit)
            if isinstance(error, ProviderError) and self._is_leaking(error):
                raise self._without_secrets(error) from None
            raise
        about = {"model": response.model, "stop_reason": response.stop_reason, "response_id": response.response_id}
        await emit(EventType.MESSAGE_RECEIVED, {"role": "assistant", "content": _plain(response.content), **about})
        await _emit_usage(response, emit)
        await emit(EventType.TURN_COMPLETED, {"stop_reason": response.stop_reason, "model": response.model})
        return response

    def _traced(self, client: Any) -> Payload:
        """Return what a span has of a request."""
        return {**self.settings, "model": self.model, "url": getattr(client, "base_url", None)}

    def _is_leaking(self, error: ProviderError) -> bool:
        return any(secret in error.message for secret in self.secrets)

    def _without_secrets(self, error: ProviderError) -> ProviderError:
        """Return an error without the keys that a server has repeated in its message."""
        message = error.message
        for secret in self.secrets:
            message = message.replace(secret, HIDDEN)
        return type(error)(message, details=error.details)

    async def _call_tool(self, call: Payload, run: Run, emit: AsyncEmit) -> Message:
        """Run a tool that the policies allow; return the message with its result."""
        about = {"tool_call_id": call["tool_call_id"], "tool_name": call["tool_name"]}
        decision = await emit.approve_tool(call["tool_call_id"], call["tool_name"], call["tool_input"])
        if decision.allowed:
            await emit(EventType.TOOL_CALL_STARTED, {**about, "tool_input": call["tool_input"]})
            result, error = await self._result(call, about, emit)
        else:
            result, error = None, f"The call was denied: {decision.reason or 'no reason was given'}"
        if error is None:
            await emit(EventType.TOOL_CALL_COMPLETED, {**about, "tool_output": result})
        else:
            await emit(EventType.TOOL_CALL_FAILED, {**about, "error": error})
        return Message(
            role="tool", content=result if error is None else error, is_error=error is not None, run_id=run.id, **about
        )

    async def _result(self, call: Payload, about: Payload, emit: AsyncEmit) -> tuple[Any, str | None]:
        """Return the result of a tool, or the text of its error."""
        tool = self.tools.get(call["tool_name"])
        if tool is None:
            return None, f"There is no tool {call['tool_name']!r}. The tools are: {', '.join(self.tools) or 'none'}."
        try:
            with in_tool(call["tool_call_id"]):
                return await tool.call(call["tool_input"]), None
        except asyncio.CancelledError:
            with suppress(AsmError):
                await emit(EventType.TOOL_CALL_FAILED, {**about, "error": CANCELLED})
            raise
        except ValidationError as error:
            return None, error.message
        except Exception as error:  # noqa: BLE001  a tool may raise anything, and the model reads what
            return None, described(error)


def _complete(messages: list[Message]) -> list[Message]:
    """Return a conversation without the text that a response began and this run tries again."""
    last = messages[-1] if messages else None
    is_cut = last is not None and last.role == "assistant" and last.interrupted and not last.tool_calls
    return messages[:-1] if is_cut else messages


async def _emit_usage(response: ModelResponse, emit: AsyncEmit) -> None:
    if response.usage is not None:
        about = {"model": response.model, "response_id": response.response_id}
        await emit(EventType.TOKEN_USAGE_UPDATED, {"usage": response.usage, **about})


def _answered(response: ModelResponse) -> Payload:
    """Return what a span has of a response."""
    try:
        usage = TokenUsage.from_provider(response.usage or {})
    except ValidationError:  # noted as a warning where it is counted
        usage = TokenUsage()
    fields = {name: getattr(response, name) for name in ("model", "response_id", "stop_reason", "error")}
    return {**fields, "usage": usage}


def _plain(content: list[Payload]) -> str | list[Payload]:
    """Return the content of a message: its text, if it is nothing else."""
    if len(content) == 1 and set(content[0]) == {"type", "text"}:
        return str(content[0]["text"])
    return content


def tool_call(call_id: str, name: str, arguments: object) -> Payload:
    """Return the part of a message that calls a tool.

    Arguments as text are decoded. If they are no JSON object, such as those of a response that was cut, they are kept
    as text: the call fails, and the model reads why.
    """
    if isinstance(arguments, str | bytes):
        try:
            decoded = msgspec.json.decode(arguments or "{}")
        except msgspec.DecodeError:
            decoded = None
        arguments = decoded if isinstance(decoded, dict) else arguments
    return {"type": TOOL_CALL, "tool_call_id": call_id, "tool_name": name, "tool_input": arguments}
