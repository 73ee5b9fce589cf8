"""The plugin of the provider ``anthropic``. It imports no SDK until the provider is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core import ProviderCapability, ProviderSpec, hookimpl

if TYPE_CHECKING:
    from asm_provider_anthropic.provider import AnthropicProvider

CAPABILITIES: Final = frozenset({ProviderCapability.HISTORY, ProviderCapability.STREAMING, ProviderCapability.TOOLS})


@hookimpl
def asm_provider() -> ProviderSpec:
    """Describe the provider of Anthropic."""
    return ProviderSpec(
        name="anthropic", open=_open, capabilities=CAPABILITIES, port_version=5, requires=("anthropic",)
    )


def _open(**options: Any) -> AnthropicProvider:
    from asm_provider_anthropic.provider import AnthropicProvider  # noqa: PLC0415  imported when the provider is opened

    return AnthropicProvider(**options)
