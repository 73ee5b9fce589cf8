"""Loading of plugins: of backends and of providers, with the same care."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

import msgspec
import pluggy

from asm_core.errors import AsmError, PluginError, ValidationError
from asm_core.escaping import described, short_repr, visible
from asm_core.plugins.dependencies import check_installed
from asm_core.plugins.discovery import Offer, find_offers
from asm_core.plugins.foreign import signal_exceptions
from asm_core.plugins.specs import BackendInfo, BackendSpec, ProviderInfo, ProviderSpec, checked_spec
from asm_core.ports.backend import PORT_VERSION

Spec = TypeVar("Spec", BackendSpec, ProviderSpec)
Info = TypeVar("Info", BackendInfo, ProviderInfo)

hookspec: Final = pluggy.HookspecMarker("asm")
hookimpl: Final = pluggy.HookimplMarker("asm")


class Kind(msgspec.Struct, Generic[Spec, Info], frozen=True, kw_only=True):
    """A kind of plugins, and how to load them.

    Attributes:
        word: what they offer, as messages name it.
        group: the group of their entry points.
        hooks: the class with their hook ``asm_WORD``.
        spec: the description that the hook returns.
        info: the entry of a listing.
        capability: the capabilities that they can declare.
        unknown: the error for a name that none has.
        broken: the error for one that cannot be loaded.
        incompatible: the error for one of another version of the ports.
    """

    word: str
    group: str
    hooks: type
    spec: type[Spec]
    info: type[Info]
    capability: type[StrEnum]
    unknown: Callable[[str, Any], PluginError]
    broken: type[PluginError]
    incompatible: type[PluginError]

    def offers(self) -> list[Offer]:
        """Return all installed plugins of this kind; nothing is imported."""
        return find_offers(self.group)

    def find(self, name: str) -> Offer:
        """Return the plugin of this name.

        Raises:
            PluginError: there is none, or more than one.
        """
        return self._only(name, self.offers())

    def load(self, offer: Offer) -> Spec:
        """Import a plugin and return its description.

        Raises:
            PluginError: it cannot be loaded, or is for another version of the ports.
            DependencyNotAvailableError: a module that it requires is not installed.
        """
        hook = f"asm_{self.word}"
        manager = pluggy.PluginManager("asm")
        manager.add_hookspecs(self.hooks)
        with signal_exceptions() as from_signals:
            try:
                manager.register(offer.load(), name=offer.name)
                manager.check_pending()
                given = getattr(manager.hook, hook)()
                spec = checked_spec(given, offer.name, self.spec, hook, self.capability)
            except BaseException as error:
                if from_signals:
                    raise from_signals[0] from None
                raise self.is_broken(offer, error) from error
        if from_signals:  # the plugin has caught it
            raise from_signals[0]
        if spec.port_version != PORT_VERSION:
            raise self._is_incompatible(offer, spec.port_version)
        user = f"The {self.word} {short_repr(offer.name)}"
        check_installed(*spec.requires, user=user, distribution=visible(offer.distribution))
        return spec

    def listed(self) -> list[Info]:
        """Load all plugins of this kind in this process, and return their descriptions and states.

        All their exceptions are caught, also `SystemExit` and their own `KeyboardInterrupt`. Their output is not
        suppressed, and an `os._exit` ends this process.
        """
        offers = self.offers()
        return [self.describe(offer, offers) for offer in offers]

    def describe(self, offer: Offer, offers: list[Offer]) -> Info:
        """Load the plugin of an offer, one of `offers`, and return its description and status."""
        try:
            spec = self.load(self._only(offer.name, offers))
        except AsmError as error:
            status = "incompatible" if isinstance(error, self.incompatible) else "broken"
            return self.failed(offer, status, error.message)
        fields = {name: getattr(spec, name) for name in self.info.__struct_fields__ if hasattr(spec, name)}
        fields["capabilities"] = tuple(sorted(spec.capabilities))
        return self.info(**{**fields, "distribution": offer.distribution, "version": offer.version, "status": "ok"})

    def failed(self, offer: Offer, status: str, error: str) -> Info:
        """Return the entry of a plugin that is not ok."""
        return self.info(
            name=offer.name, distribution=offer.distribution, version=offer.version, status=status, error=error
        )

    def cannot_load(self, offer: Offer, reason: str) -> str:
        """Return the message for a plugin that cannot be loaded."""
        return (
            f"The {self.word} {short_repr(offer.name)} ({_origin(offer)}) cannot be loaded: "
            f"{reason}. Reinstall it, or choose another."
        )

    def is_broken(self, offer: Offer, error: BaseException) -> PluginError:
        """Return the error for a plugin that cannot be loaded."""
        return self.broken(
            self.cannot_load(offer, described(error)),
            details={"name": offer.name, "distribution": offer.distribution, "version": offer.version},
        )

    def _only(self, name: str, offers: list[Offer]) -> Offer:
        """Return the offer with this name."""
        found = {offer.value: offer for offer in offers if offer.name == name}
        if not found:
            raise self.unknown(name, {offer.name for offer in offers})
        if len(found) > 1:
            origins = " and ".join(sorted(visible(offer.distribution) for offer in found.values()))
            message = f"The {self.word} {short_repr(name)} is offered by {origins}. Uninstall all but one."
            raise self.broken(message, details={"name": name})
        return next(iter(found.values()))

    def _is_incompatible(self, offer: Offer, port_version: int) -> PluginError:
        newer = "asm-core" if port_version > PORT_VERSION else visible(offer.distribution)
        message = (
            f"The {self.word} {short_repr(offer.name)} ({_origin(offer)}) is for version {short_repr(port_version)} of "
            f"the ports, but this asm-core has version {PORT_VERSION}. Upgrade {newer}."
        )
        return self.incompatible(message, details={"name": offer.name, "port_version": short_repr(port_version)})


def check_options(word: str, spec: BackendSpec | ProviderSpec, options: dict[str, Any], *, own: set[str]) -> None:
    """Check the names of options against the signature of the description's `open`.

    Raises:
        ValidationError: there is no such option.
    """
    parameters = inspect.signature(spec.open).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    keywords = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    known = sorted(keywords - own)
    for option in options:
        if option not in known:
            message = f"The {word} {spec.name!r} has no option {option!r}. Its options: {', '.join(known) or 'none'}."
            raise ValidationError(message)


def _origin(offer: Offer) -> str:
    return f"{visible(offer.distribution)} {visible(offer.version)}"
