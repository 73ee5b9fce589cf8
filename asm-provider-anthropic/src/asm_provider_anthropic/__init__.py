"""Models of Anthropic as a provider of the agent session manager, with streaming and tools."""

from typing import TYPE_CHECKING

from asm_core.plugins import lazy_names

if TYPE_CHECKING:
    from asm_provider_anthropic.messages import from_anthropic, to_anthropic
    from asm_provider_anthropic.provider import AnthropicProvider

__all__ = ["AnthropicProvider", "from_anthropic", "to_anthropic"]

__getattr__ = lazy_names(__name__, __all__, modules=("messages", "provider"), needs="anthropic")
