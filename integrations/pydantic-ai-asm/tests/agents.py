"""An agent with a scripted model, also run as a program: ``python agents.py URL CONVERSATION TEXT``."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from pydantic_ai import Agent
from pydantic_ai.conversation import Conversation
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage

from pydantic_ai_asm import AsmConversationStore

if TYPE_CHECKING:
    from pydantic_ai.conversation_store import ConversationStore
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models.function import AgentInfo


def reply(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Answer as a model does: call a tool for a question, and repeat what was asked otherwise."""
    part = messages[-1].parts[-1]
    usage = RequestUsage(input_tokens=10, output_tokens=3, cache_read_tokens=4)
    if isinstance(part, UserPromptPart) and part.content == "weather?":
        return ModelResponse([ToolCallPart("weather", {"city": "Graz"})], usage=usage, provider_name="scripted")
    text = f"{len(messages)}: {getattr(part, 'content', '')}"
    return ModelResponse([TextPart(text)], usage=usage, provider_name="scripted")


agent = Agent(FunctionModel(reply, model_name="scripted-1"))


@agent.tool_plain
def weather(city: str) -> str:
    """Return the weather."""
    return f"sunny in {city}"


async def ask(store: ConversationStore, conversation_id: str, text: str, scope: str | None = None) -> str:
    """Continue a conversation, and save it."""
    conversation = await store.load(conversation_id) or Conversation(conversation_id=conversation_id)
    result = await agent.run(text, conversation=conversation)
    await store.save(result, scope=scope)
    return result.output


async def main(url: str, conversation_id: str, text: str) -> None:
    """Ask once, in a process of its own."""
    async with AsmConversationStore.open(url, backend="sqlmodel") as store:
        sys.stdout.write(await ask(store, conversation_id, text))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
