"""Models of OpenAI, and of compatible servers, as a provider of the agent session manager, with streaming and tools."""

from typing import TYPE_CHECKING

from asm_core.plugins import lazy_names

if TYPE_CHECKING:
    from asm_provider_openai.chat_messages import from_chat, to_chat
    from asm_provider_openai.provider import OpenAIProvider
    from asm_provider_openai.response_items import from_responses, to_responses

__all__ = ["OpenAIProvider", "from_chat", "from_responses", "to_chat", "to_responses"]

__getattr__ = lazy_names(__name__, __all__, modules=("chat_messages", "provider", "response_items"), needs="openai")
