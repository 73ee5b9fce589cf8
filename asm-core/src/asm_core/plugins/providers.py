"""Lookup of providers by name: entry points of the group ``asm.providers``, each a small module with one pluggy hook.

The value of an entry point is a module that imports no SDK. Its hook ``asm_provider`` describes the provider; only the
`open` of that description imports the SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.config.providers import resolve_provider
from asm_core.errors import (
    BrokenProviderError,
    IncompatibleProviderError,
    UnknownProviderError,
    ValidationError,
)
from asm_core.escaping import short_repr
from asm_core.plugins.foreign import signal_exceptions
from asm_core.plugins.loading import Kind, check_options, hookspec
from asm_core.plugins.specs import ProviderInfo, ProviderSpec
from asm_core.ports.provider import AnyProvider, ProviderCapability

if TYPE_CHECKING:
    import os


class _Hooks:
    @hookspec(firstresult=True)
    def asm_provider(self) -> ProviderSpec | None:
        """Describe the provider of this plugin."""


PROVIDERS: Final = Kind(
    word="provider",
    group="asm.providers",
    hooks=_Hooks,
    spec=ProviderSpec,
    info=ProviderInfo,
    capability=ProviderCapability,
    unknown=UnknownProviderError,
    broken=BrokenProviderError,
    incompatible=IncompatibleProviderError,
)


def open_provider(
    name: str | None = None, *, config: str | os.PathLike[str] | None = None, **options: Any
) -> AnyProvider:
    """Open the provider of this name, such as ``anthropic``, for a `SessionManager`.

    Missing arguments come from the environment (``ASM_PROVIDER``, ``ASM_MODEL``), then from the configuration file: its
    key ``provider`` and its table ``[providers.NAME]``. Without any name it is the only provider that is installed.

    Args:
        name: the provider's name.
        config: the file to read instead of any other.
        **options: the options of the provider, such as ``model``.

    Raises:
        UnknownProviderError: no provider of this name is installed.
        BrokenProviderError: it cannot be loaded.
        IncompatibleProviderError: it is for another version of the ports.
        DependencyNotAvailableError: its SDK is not installed.
        ValidationError: no provider is named, an option is unknown or missing, or the file is not trusted.
    """
    found = resolve_provider(name, config=config, options=options, default_provider=_only_provider)
    offer = PROVIDERS.find(found.name)
    spec = PROVIDERS.load(offer)
    check_options("provider", spec, found.options, own=set())
    with signal_exceptions() as from_signals:
        try:
            provider = spec.open(**found.options)
        except (ImportError, SystemExit) as error:
            if from_signals:
                raise
            raise PROVIDERS.is_broken(offer, error) from error
        except TypeError as error:
            if "argument" not in str(error):
                raise
            message = f"The provider {found.name!r} cannot be opened with these options: {error}."
            raise ValidationError(message) from error
    if not isinstance(provider, AnyProvider):
        mistake = TypeError(f"its open() returns {short_repr(provider)} instead of a Provider or an AsyncProvider")
        raise PROVIDERS.is_broken(offer, mistake) from mistake
    return provider


def installed_providers() -> list[ProviderInfo]:
    """Return all installed providers by name, also broken and incompatible ones; see `installed_backends`."""
    return PROVIDERS.listed()


def _only_provider() -> str | None:
    names = {offer.name for offer in PROVIDERS.offers()}
    return names.pop() if len(names) == 1 else None
