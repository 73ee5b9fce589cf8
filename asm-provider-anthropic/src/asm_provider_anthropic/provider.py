"""The provider for models of Anthropic."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import httpx2
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

from asm_core import errors
from asm_core.providing import MAX_TOOL_ROUNDS, ModelProvider, provider_error
from asm_provider_anthropic.failures import FAILURES, VENDOR, no_key, translated
from asm_provider_anthropic.messages import to_anthropic
from asm_provider_anthropic.stream import Assembly

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from anthropic import AsyncStream

    from asm_core.conversation import Message
    from asm_core.providing import ModelResponse, StreamText, Tool
    from asm_core.values.payloads import Payload

MAX_TOKENS: Final = 8192


class AnthropicProvider(ModelProvider):
    """Answers with a model of Anthropic, streaming, and runs the tools that it calls.

    The conversation of the session is given to the model; thinking is kept and given back. The SDK
    repeats no request: the option `retry` of the manager does it, and each try is in the log.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        model: str,
        base_url: str | None = None,
        tools: Sequence[Callable[..., Any] | Tool | Payload] = (),
        system: str | None = None,
        max_tokens: int = MAX_TOKENS,
        max_tool_rounds: int = MAX_TOOL_ROUNDS,
        timeout: float = 600.0,
        headers: Mapping[str, str] | None = None,
        name: str = "anthropic",
        **request: Any,
    ) -> None:
        """Answer with `model`.

        Args:
            api_key: the key; None: that of ANTHROPIC_API_KEY. It is never recorded.
            model: the id of the model.
            base_url: the server; None: that of ANTHROPIC_BASE_URL, or Anthropic's.
            tools: Python callables that the model may call, and tools of Anthropic as dicts.
            system: the system prompt, before the system messages of the conversation.
            max_tokens: the largest number of tokens of a response.
            max_tool_rounds: the largest number of responses of a run that call tools.
            timeout: seconds to wait for the server, for the connection and for each piece of an answer.
            headers: HTTP headers for each request, such as ``anthropic-beta``.
            name: the provider's name in runs and events.
            **request: further fields of the request, such as ``temperature`` or ``thinking``, unchanged.

        Raises:
            ValidationError: a tool cannot be described, or a number is invalid.
        """
        super().__init__(tools=tools, max_tool_rounds=max_tool_rounds)
        self.name = name
        key = api_key or os.environ.get("ANTHROPIC_API_KEY")
        self.secrets = (key,) if key else ()
        self._connection: dict[str, Any] = {
            "api_key": api_key,
            "base_url": base_url,
            "timeout": timeout,
            "default_headers": dict(headers or {}),
            "max_retries": 0,
        }
        self.model = model
        self._max_tokens = max_tokens
        self._system = [{"type": "text", "text": system}] if system else []
        self._request = request
        self.settings = {"max_tokens": max_tokens, **request}

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncAnthropic]:
        """Return the SDK's client for one run."""
        async with AsyncAnthropic(http_client=DefaultAsyncHttpxClient(verify=_tls()), **self._connection) as client:
            yield client

    async def respond(
        self, client: AsyncAnthropic, messages: Sequence[Message], response: ModelResponse, stream_text: StreamText
    ) -> None:
        """Call the model once.

        Raises:
            ProviderError: the call failed.
        """
        assembly = Assembly(response)
        async with await self._open(client, messages) as events:
            while (text := await _next_text(events, assembly)) is not None:
                await stream_text(text)
        if not assembly.is_complete:
            message = "the stream ended before the response was complete."
            raise provider_error(VENDOR, message, status=None, kind=errors.ProviderUnavailableError)
        if response.stop_reason == "refusal":
            message = "the content filter refused to go on."
            kind = errors.ProviderContentFilteredError
            response.error = provider_error(VENDOR, message, status=None, kind=kind, reason="refusal")

    async def _open(self, client: AsyncAnthropic, messages: Sequence[Message]) -> AsyncStream[Any]:
        request = to_anthropic(messages)
        if system := [*self._system, *request.pop("system", [])]:
            request["system"] = system
        if tools := [*map(_described, self.tools.values()), *self.vendor_tools]:
            request["tools"] = tools
        try:
            return await client.messages.create(
                model=self.model, max_tokens=self._max_tokens, stream=True, extra_body=self._request, **request
            )
        except TypeError as error:  # how the SDK reports a missing key
            raise no_key(error) from error
        except FAILURES as error:
            raise translated(error) from error


@cache
def _tls() -> ssl.SSLContext:
    """Return the certificates of authorities: to read them takes ten times as long as the rest of a client."""
    return httpx2.create_ssl_context()


async def _next_text(events: AsyncStream[Any], assembly: Assembly) -> str | None:
    """Take the next event; return the text that it adds, or None at the end."""
    try:
        event = await anext(events, None)
        return None if event is None else assembly.take(event.to_dict(warnings=False))
    except FAILURES as error:
        raise translated(error) from error


def _described(tool: Tool) -> Payload:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
