"""The provider for models of OpenAI and of compatible servers."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, OpenAIError

from asm_core import errors
from asm_core.errors import ValidationError, short_repr
from asm_core.providing import MAX_TOOL_ROUNDS, ModelProvider, provider_error
from asm_provider_openai import chat, responses
from asm_provider_openai.chat import ChatAssembly
from asm_provider_openai.failures import FAILURES, VENDOR, no_key, translated
from asm_provider_openai.responses import ResponsesAssembly

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from openai import AsyncStream

    from asm_core.conversation import Message
    from asm_core.providing import ModelResponse, StreamText, Tool
    from asm_core.values.payloads import Payload

    Assembly = ChatAssembly | ResponsesAssembly

_APIS: Final = ("responses", "chat")
_OWN_HOST: Final = ".openai.com"


class OpenAIProvider(ModelProvider):
    """Answers with a model of OpenAI or of a compatible server, streaming, and runs the tools that it calls.

    The conversation of the session is given to the model; encrypted reasoning is kept and given back. OpenAI stores
    nothing unless ``store=True`` is passed. The SDK repeats no request: the option `retry` of the manager does it, and
    each try is in the log.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        model: str,
        api: Literal["responses", "chat"] = "responses",
        base_url: str | None = None,
        tools: Sequence[Callable[..., Any] | Tool | Payload] = (),
        system: str | None = None,
        max_tokens: int | None = None,
        max_tool_rounds: int = MAX_TOOL_ROUNDS,
        timeout: float = 600.0,
        headers: Mapping[str, str] | None = None,
        name: str = "openai",
        **request: Any,
    ) -> None:
        """Answer with `model`.

        Args:
            api_key: the key; None: that of OPENAI_API_KEY. It is never recorded. A server without keys takes any.
            model: the id of the model.
            api: ``"responses"``, or ``"chat"`` for Chat Completions, which most compatible servers have.
            base_url: the server; None: that of OPENAI_BASE_URL, or OpenAI's.
            tools: Python callables that the model may call, and tools of OpenAI as dicts.
            system: the system prompt, before the system messages of the conversation.
            max_tokens: the largest number of tokens of a response; None: the server's limit.
            max_tool_rounds: the largest number of responses of a run that call tools.
            timeout: seconds to wait for the server, for the connection and for each piece of an answer.
            headers: HTTP headers for each request.
            name: the provider's name in runs and events, such as ``"ollama"``.
            **request: further fields of the request, such as ``temperature`` or ``reasoning``, unchanged; None leaves a
                field out.

        Raises:
            ValidationError: there is no such API, a tool cannot be described, or a number is invalid.
        """
        if api not in _APIS:
            message = f"api must be 'responses' or 'chat', not {short_repr(api)}."
            raise ValidationError(message)
        super().__init__(tools=tools, max_tool_rounds=max_tool_rounds)
        self.name = name
        key = api_key or os.environ.get("OPENAI_API_KEY")
        self.secrets = (key,) if key else ()
        self._connection: dict[str, Any] = {
            "api_key": api_key,
            "base_url": base_url,
            "timeout": timeout,
            "default_headers": dict(headers or {}),
            "max_retries": 0,
        }
        self._api = api
        self.model = model
        self._system = system
        self._max_tokens = max_tokens
        self._request = request
        self.settings = {"max_tokens": max_tokens, **request}

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncOpenAI]:
        """Return the SDK's client for one run.

        Raises:
            ProviderAuthenticationError: there is no key.
        """
        try:
            client = AsyncOpenAI(http_client=DefaultAsyncHttpxClient(verify=_tls()), **self._connection)
        except OpenAIError as error:
            raise no_key(error) from error
        async with client:
            yield client

    async def respond(
        self, client: AsyncOpenAI, messages: Sequence[Message], response: ModelResponse, stream_text: StreamText
    ) -> None:
        """Call the model once.

        Raises:
            ProviderError: the call failed.
        """
        assembly: Assembly = ChatAssembly(response) if self._api == "chat" else ResponsesAssembly(response)
        async with await self._open(client, messages) as events:
            while (text := await _next_text(events, assembly)) is not None:
                await stream_text(text)
        if not assembly.is_complete:
            message = "the stream ended before the response was complete."
            raise provider_error(VENDOR, message, status=None, kind=errors.ProviderUnavailableError)

    async def _open(self, client: AsyncOpenAI, messages: Sequence[Message]) -> AsyncStream[Any]:
        protocol = chat if self._api == "chat" else responses
        fields = protocol.request(messages, system=self._system, tools=list(self.tools.values()), options=self._request)
        if self.vendor_tools:
            fields["tools"] = [*fields.get("tools", []), *self.vendor_tools]
        if self._max_tokens is not None:
            fields[self._limit(client)] = self._max_tokens
        fields = {name: value for name, value in {**fields, **self._request}.items() if value is not None}
        create: Any = client.chat.completions.create if self._api == "chat" else client.responses.create
        # Fields that this version of the SDK has no parameter for are passed on too.
        own = {name: fields.pop(name) for name in ("messages", "input") if name in fields}
        try:
            events: AsyncStream[Any] = await create(model=self.model, stream=True, extra_body=fields, **own)
        except FAILURES as error:
            raise translated(error) from error
        return events

    def _limit(self, client: AsyncOpenAI) -> str:
        """Return the field for the largest number of tokens: compatible servers have kept the older one."""
        if self._api == "responses":
            return responses.LIMIT
        is_own = f".{client.base_url.host}".endswith(_OWN_HOST)
        return "max_completion_tokens" if is_own else "max_tokens"


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
