"""Lookup of backends by name: entry points of the group ``asm.backends``, each a small module with one pluggy hook.

The value of an entry point is a module that imports no ORM. Its hook ``asm_backend`` describes the backend; only the
`open` of that description imports the ORM.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pluggy

from asm_core.config import stores
from asm_core.config.confinement import check_confined
from asm_core.config.stores import DEFAULT_BACKEND, DEFAULT_URL, StoreConfig
from asm_core.errors import (
    AsmError,
    BrokenBackendError,
    IncompatibleBackendError,
    UnknownBackendError,
    ValidationError,
)
from asm_core.escaping import described, short_repr, visible
from asm_core.plugins.dependencies import check_installed
from asm_core.plugins.discovery import Offer, find_offers
from asm_core.plugins.foreign import signal_exceptions
from asm_core.plugins.specs import BackendInfo, BackendSpec, checked_spec
from asm_core.ports.backend import PORT_VERSION, Backend, Capability

if TYPE_CHECKING:
    import os

hookspec: Final = pluggy.HookspecMarker("asm")
hookimpl: Final = pluggy.HookimplMarker("asm")


class _Hooks:
    @hookspec(firstresult=True)
    def asm_backend(self) -> BackendSpec | None:
        """Describe the backend of this plugin."""


def open_backend(
    name: str | None = None,
    *,
    url: str | None = None,
    migrate: bool = False,
    store: str | None = None,
    **options: Any,
) -> Backend:
    """Open a store with the backend of this name.

    Missing arguments come from the environment and from files; see `asm_core.config.resolve_store`.

    Args:
        name: the backend's name, such as ``sqlmodel`` or ``memory``.
        url: the URL of the store, such as ``sqlite:///asm.db``.
        migrate: upgrade the schema of the store first.
        store: the name of a store that a file configures as ``[stores.NAME]``.
        **options: the options of the backend.

    Raises:
        UnknownBackendError: no backend of this name is installed.
        BrokenBackendError: it cannot be loaded.
        IncompatibleBackendError: it is for another version of the ports.
        DependencyNotAvailableError: its ORM or its driver is not installed.
        MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        ValidationError: an option is unknown.
    """
    if not isinstance(migrate, bool):
        message = (
            f"migrate must be True or False, not {short_repr(migrate)}. For another version, use Backend.migrate()."
        )
        raise ValidationError(message)
    return open_store(resolve_store(name, url=url, store=store, options=options), migrate=migrate)


def resolve_store(
    name: str | None = None,
    *,
    url: str | None = None,
    store: str | None = None,
    config: str | os.PathLike[str] | None = None,
    options: dict[str, Any] | None = None,
) -> StoreConfig:
    """Resolve the store to open, without opening it; see `asm_core.config.resolve_store`."""
    return stores.resolve_store(
        name, url=url, store=store, config=config, options=options, default_backend=default_backend
    )


def default_backend() -> str:
    """Return the name of the durable backend that is installed; ``sqlmodel`` if there are several, or none."""
    names = sorted({offer.name for offer in find_offers()})
    if DEFAULT_BACKEND in names:
        return DEFAULT_BACKEND
    durable = [name for name in names if _is_durable(name)]
    return durable[0] if len(durable) == 1 else DEFAULT_BACKEND


def _is_durable(name: str) -> bool:
    with suppress(AsmError):
        return Capability.DURABLE in load_spec(name).capabilities
    return False


def open_store(store: StoreConfig, *, migrate: bool | int = False) -> Backend:
    """Open a resolved store; `migrate` may also be a schema version, at which the store is then opened."""
    offer = _find(store.backend)
    spec = _load(offer)
    url = DEFAULT_URL if store.url is None and "SQLite" in spec.databases else store.url
    if url is not None and not store.trusted:
        check_confined(url, Path(store.directory))
    with signal_exceptions() as from_signals:
        try:
            _check_options(spec, store.options)
            backend = spec.open(store.url, migrate=migrate, **store.options)
        except (ImportError, SystemExit) as error:
            if from_signals:
                raise
            raise _broken(offer, error) from error
        except ValidationError as error:
            if store.file is None:
                raise
            message = f"{error.message} ({store.file} configures this store.)"
            raise type(error)(message, details=error.details) from error
    if not isinstance(backend, Backend):
        mistake = TypeError(f"its open() returns {short_repr(backend)} instead of a Backend")
        raise _broken(offer, mistake) from mistake
    return backend


def load_spec(name: str) -> BackendSpec:
    """Load the plugin of this name and return its description; no other plugin is loaded.

    Raises:
        UnknownBackendError: no backend of this name is installed.
        BrokenBackendError: it cannot be loaded.
        IncompatibleBackendError: it is for another version of the ports.
        DependencyNotAvailableError: its ORM is not installed.
    """
    return _load(_find(name))


def installed_backends() -> list[BackendInfo]:
    """Return all installed backends by name, also broken and incompatible ones.

    Each plugin is loaded in this process. All its exceptions are caught, also `SystemExit` and its own
    `KeyboardInterrupt`. Its output is not suppressed, and its `os._exit` ends this process.
    """
    offers = find_offers()
    return [describe(offer, offers) for offer in offers]


def describe(offer: Offer, offers: list[Offer]) -> BackendInfo:
    """Load the plugin of an offer, one of `offers`, and return its description and status."""
    try:
        spec = _load(_only(offer.name, offers))
    except AsmError as error:
        status = "incompatible" if isinstance(error, IncompatibleBackendError) else "broken"
        return failed(offer, status, error.message)
    return BackendInfo(
        name=offer.name,
        distribution=offer.distribution,
        version=offer.version,
        status="ok",
        databases=spec.databases,
        capabilities=tuple(sorted(spec.capabilities)),
        port_version=spec.port_version,
    )


def failed(offer: Offer, status: str, error: str) -> BackendInfo:
    """Return the entry of a backend that is not ok."""
    return BackendInfo(
        name=offer.name, distribution=offer.distribution, version=offer.version, status=status, error=error
    )


def cannot_load(offer: Offer, reason: str) -> str:
    """Return the message for a backend that cannot be loaded."""
    return (
        f"The backend {short_repr(offer.name)} ({_origin(offer)}) cannot be loaded: "
        f"{reason}. Reinstall it, or choose another."
    )


def _find(name: str) -> Offer:
    return _only(name, find_offers())


def _only(name: str, offers: list[Offer]) -> Offer:
    """Return the offer with this name."""
    found = {offer.value: offer for offer in offers if offer.name == name}
    if not found:
        raise UnknownBackendError(name, {offer.name for offer in offers})
    if len(found) > 1:
        origins = " and ".join(sorted(visible(offer.distribution) for offer in found.values()))
        message = f"The backend {short_repr(name)} is offered by {origins}. Uninstall all but one."
        raise BrokenBackendError(message, details={"name": name})
    return next(iter(found.values()))


def _load(offer: Offer) -> BackendSpec:
    manager = pluggy.PluginManager("asm")
    manager.add_hookspecs(_Hooks)
    with signal_exceptions() as from_signals:
        try:
            manager.register(offer.load(), name=offer.name)
            manager.check_pending()
            spec = checked_spec(manager.hook.asm_backend(), offer.name)
        except BaseException as error:
            if from_signals:
                raise from_signals[0] from None
            raise _broken(offer, error) from error
    if from_signals:  # the plugin has caught it
        raise from_signals[0]
    if spec.port_version != PORT_VERSION:
        raise _incompatible(offer, spec.port_version)
    check_installed(
        *spec.requires, user=f"The backend {short_repr(offer.name)}", distribution=visible(offer.distribution)
    )
    return spec


def _incompatible(offer: Offer, port_version: int) -> IncompatibleBackendError:
    newer = "asm-core" if port_version > PORT_VERSION else visible(offer.distribution)
    message = (
        f"The backend {short_repr(offer.name)} ({_origin(offer)}) is for version {short_repr(port_version)} of "
        f"the ports, but this asm-core has version {PORT_VERSION}. Upgrade {newer}."
    )
    return IncompatibleBackendError(message, details={"name": offer.name, "port_version": short_repr(port_version)})


def _origin(offer: Offer) -> str:
    return f"{visible(offer.distribution)} {visible(offer.version)}"


def _broken(offer: Offer, error: BaseException) -> BrokenBackendError:
    return BrokenBackendError(
        cannot_load(offer, described(error)),
        details={"name": offer.name, "distribution": offer.distribution, "version": offer.version},
    )


def _check_options(spec: BackendSpec, options: dict[str, Any]) -> None:
    parameters = inspect.signature(spec.open).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    keywords = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    known = sorted(keywords - {"migrate"})
    for option in options:
        if option not in known:
            message = f"The backend {spec.name!r} has no option {option!r}. Its options: {', '.join(known) or 'none'}."
            raise ValidationError(message)
