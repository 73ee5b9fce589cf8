"""Backends are found by name: entry points in the group ``asm.backends``, each a small module with one pluggy hook.

The value of an entry point is a module that imports no ORM; its hook ``asm_backend`` describes the backend, and only
the `open` of that description imports what the backend needs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pluggy

from asm_core.config import StoreConfig, resolve_store
from asm_core.errors import (
    AsmError,
    BrokenBackendError,
    IncompatibleBackendError,
    UnknownBackendError,
    ValidationError,
    shown,
)
from asm_core.ports.backend import PORT_VERSION, Backend, Capability

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

GROUP: Final = "asm.backends"

hookspec: Final = pluggy.HookspecMarker("asm")
hookimpl: Final = pluggy.HookimplMarker("asm")


class BackendSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin tells of its backend.

    Attributes:
        name: what it is called in the configuration; the same as the entry point's.
        open: called as ``open(url, migrate=..., **options)``; its keyword parameters are the backend's options.
            `migrate` is False (a schema that is not the newest: MigrationRequiredError), True (bring it to the newest
            first), or the number of a version (bring it there, and take it as it is).
        capabilities: what the backend declares.
        port_version: the `asm_core.PORT_VERSION` that it was written for.
        databases: the databases that it runs on, as a user calls them.
    """

    name: str
    open: Callable[..., Backend]
    capabilities: frozenset[Capability]
    port_version: int
    databases: tuple[str, ...] = ()


class BackendInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An installed backend, as a listing shows it.

    Attributes:
        status: ``ok``, ``broken`` or ``incompatible``.
        error: why it is not ok.
    """

    name: str
    distribution: str
    version: str
    status: str
    databases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    port_version: int | None = None
    error: str | None = None


class _Hooks:
    @hookspec(firstresult=True)
    def asm_backend(self) -> BackendSpec | None:
        """Describe the backend that this plugin offers."""


def open_backend(
    name: str | None = None,
    *,
    url: str | None = None,
    migrate: bool = False,
    config: str | None = None,
    **options: Any,
) -> Backend:
    """Open a store through the backend of this name.

    What is not given comes from the environment and from files, as `asm_core.config.resolve_store` says.

    Args:
        name: the backend's name, such as ``sqlmodel`` or ``memory``.
        url: the store's place, such as ``sqlite:///asm.db``.
        migrate: bring the store's schema up to date first.
        config: the name of a store that a file configures as ``[stores.NAME]``.
        **options: the backend's own options.

    Raises:
        UnknownBackendError: nothing of this name is installed.
        BrokenBackendError: it cannot be loaded.
        IncompatibleBackendError: it was written for another version of the ports.
        MigrationRequiredError: the schema is behind, and `migrate` is not set.
        ValidationError: the backend has no such option.
    """
    if not isinstance(migrate, bool):
        message = (
            f"migrate must be True or False, not {shown(migrate)}; for a version of the schema use Backend.migrate()."
        )
        raise ValidationError(message)
    return open_store(resolve_store(name, url=url, config=config, options=options), migrate=migrate)


def open_store(store: StoreConfig, *, migrate: bool | int = False) -> Backend:
    """Open a store that was resolved; `migrate` may be a version too, which is then taken as it is."""
    spec = load_spec(store.backend)
    _check_options(spec, store.options)
    try:
        return spec.open(store.url, migrate=migrate, **store.options)
    except ImportError as error:
        raise _broken(_find(store.backend), error) from error


def load_spec(name: str) -> BackendSpec:
    """Return what the plugin of this name tells of its backend; no other plugin is loaded.

    Raises:
        UnknownBackendError: nothing of this name is installed.
        BrokenBackendError: it cannot be loaded.
        IncompatibleBackendError: it was written for another version of the ports.
    """
    entry = _find(name)
    manager = pluggy.PluginManager("asm")
    manager.add_hookspecs(_Hooks)
    try:
        manager.register(entry.load(), name=name)
        manager.check_pending()
        spec = manager.hook.asm_backend()
    except Exception as error:
        raise _broken(entry, error) from error
    if not isinstance(spec, BackendSpec) or spec.name != name:
        mistake = TypeError(f"its hook asm_backend() gives {shown(spec)} where a BackendSpec named {name!r} should be")
        raise _broken(entry, mistake) from mistake
    if spec.port_version != PORT_VERSION:
        distribution, version = _origin(entry)
        newer = "asm-core" if spec.port_version > PORT_VERSION else distribution
        message = (
            f"The backend {name!r} ({distribution} {version}) was written for version {spec.port_version} of the "
            f"ports, and this asm-core has version {PORT_VERSION}; upgrade {newer}."
        )
        raise IncompatibleBackendError(message, details={"name": name, "port_version": spec.port_version})
    return spec


def installed_backends() -> list[BackendInfo]:
    """Return every installed backend by name, broken and incompatible ones as what they are."""
    infos = []
    for entry in sorted(_entries(), key=lambda entry: entry.name):
        distribution, version = _origin(entry)
        try:
            spec = load_spec(entry.name)
        except AsmError as error:
            status = "incompatible" if isinstance(error, IncompatibleBackendError) else "broken"
            info = BackendInfo(
                name=entry.name, distribution=distribution, version=version, status=status, error=error.message
            )
        else:
            info = BackendInfo(
                name=entry.name,
                distribution=distribution,
                version=version,
                status="ok",
                databases=spec.databases,
                capabilities=tuple(sorted(spec.capabilities)),
                port_version=spec.port_version,
            )
        infos.append(info)
    return infos


def _entries() -> EntryPoints:
    from importlib.metadata import entry_points  # noqa: PLC0415  it takes as long as all of asm_core

    return entry_points(group=GROUP)


def _find(name: str) -> EntryPoint:
    entries = _entries()
    found = {entry.value: entry for entry in entries if entry.name == name}
    if not found:
        raise UnknownBackendError(name, {entry.name for entry in entries})
    if len(found) > 1:
        origins = " and ".join(sorted(_origin(entry)[0] for entry in found.values()))
        message = f"The backend {name!r} is offered by {origins}; uninstall all but one."
        raise BrokenBackendError(message, details={"name": name})
    return next(iter(found.values()))


def _origin(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else (entry.module, "unknown")


def _broken(entry: EntryPoint, error: Exception) -> BrokenBackendError:
    distribution, version = _origin(entry)
    return BrokenBackendError(
        f"The backend {entry.name!r} ({distribution} {version}) cannot be loaded: {type(error).__name__}: {error}. "
        "Reinstall it, or choose another.",
        details={"name": entry.name, "distribution": distribution, "version": version},
    )


def _check_options(spec: BackendSpec, options: dict[str, Any]) -> None:
    parameters = inspect.signature(spec.open).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    keywords = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    known = sorted(keywords - {"migrate"})
    for option in options:
        if option not in known:
            message = f"The backend {spec.name!r} has no option {option!r}. It has: {', '.join(known) or 'none'}."
            raise ValidationError(message)
