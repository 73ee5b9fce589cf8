"""The plugin of the provider ``openai``. It imports no SDK until the provider is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core import ProviderCapability, ProviderSpec, hookimpl

if TYPE_CHECKING:
    from asm_provider_openai.provider import OpenAIProvider

CAPABILITIES: Final = frozenset({ProviderCapability.HISTORY, ProviderCapability.STREAMING, ProviderCapability.TOOLS})


@hookimpl
def asm_provider() -> ProviderSpec:
    """Describe the provider of OpenAI."""
    return ProviderSpec(name="openai", open=_open, capabilities=CAPABILITIES, port_version=5, requires=("openai",))


def _open(**options: Any) -> OpenAIProvider:
    from asm_provider_openai.provider import OpenAIProvider  # noqa: PLC0415  imported when the provider is opened

    return OpenAIProvider(**options)
