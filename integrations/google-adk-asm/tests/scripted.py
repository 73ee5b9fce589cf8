"""An agent with a local model that answers by a script, and what the tests do with events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.adk.agents import LlmAgent
from google.adk.events import Event, EventActions
from google.adk.models import BaseLlm, LlmResponse
from google.genai import types

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.adk.models import LlmRequest


def text(words: str) -> types.Part:
    return types.Part(text=words)


def call(name: str, **arguments: Any) -> types.Part:
    return types.Part(function_call=types.FunctionCall(id=f"call_{name}", name=name, args=arguments))


def said(number: object, author: str = "user", **more: Any) -> Event:
    """Return an event with a text."""
    role = "user" if author == "user" else "model"
    content = types.Content(role=role, parts=[text(f"text {number}")])
    return Event(author=author, invocation_id="i", content=content, **more)


def changing(event_id: str | None = None, **delta: Any) -> Event:
    """Return an event that changes the state; `app__x` stands for `app:x`."""
    state = {key.replace("__", ":"): value for key, value in delta.items()}
    return Event(id=event_id or "", author="agent", invocation_id="i", actions=EventActions(state_delta=state))


class ScriptedModel(BaseLlm):
    """Answers with one part after the other, and keeps the contents of each request."""

    model: str = "scripted"
    parts: list[types.Part]
    requests: list[list[types.Content]] = []  # noqa: RUF012  Pydantic copies it

    async def generate_content_async(self, llm_request: LlmRequest, stream: bool = False) -> AsyncIterator[LlmResponse]:  # noqa: FBT001, FBT002  the framework's
        self.requests.append(list(llm_request.contents))
        part = self.parts.pop(0)
        if stream and part.text:
            yield LlmResponse(content=types.Content(role="model", parts=[text(part.text[:3])]), partial=True)
        usage = types.GenerateContentResponseUsageMetadata(
            prompt_token_count=100, candidates_token_count=10, thoughts_token_count=5, total_token_count=115
        )
        yield LlmResponse(
            content=types.Content(role="model", parts=[part]), model_version="gemini-2.5-pro", usage_metadata=usage
        )


def weather(city: str, tool_context: Any) -> dict[str, str]:
    """Return the weather of a city."""
    tool_context.state["user:city"] = city
    tool_context.state["temp:asked"] = True
    return {"weather": f"sunny in {city}"}


def agent(*parts: types.Part) -> LlmAgent:
    return LlmAgent(name="assistant", model=ScriptedModel(parts=list(parts)), tools=[weather])
