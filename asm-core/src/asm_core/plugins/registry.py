"""Lookup of backends by name: entry points of the group ``asm.backends``, each a small module with one pluggy hook.

The value of an entry point is a module that imports no ORM. Its hook ``asm_backend`` describes the backend; only the
`open` of that description imports the ORM.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
from asm_core.escaping import short_repr
from asm_core.plugins.foreign import signal_exceptions
from asm_core.plugins.loading import Kind, check_options, hookspec
from asm_core.plugins.specs import BackendInfo, BackendSpec
from asm_core.ports.backend import Backend, Capability

if TYPE_CHECKING:
    import os


class _Hooks:
    @hookspec(firstresult=True)
    def asm_backend(self) -> BackendSpec | None:
        """Describe the backend of this plugin."""


BACKENDS: Final = Kind(
    word="backend",
    group="asm.backends",
    hooks=_Hooks,
    spec=BackendSpec,
    info=BackendInfo,
    capability=Capability,
    unknown=UnknownBackendError,
    broken=BrokenBackendError,
    incompatible=IncompatibleBackendError,
)


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
    names = sorted({offer.name for offer in BACKENDS.offers()})
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
    offer = BACKENDS.find(store.backend)
    spec = BACKENDS.load(offer)
    url = DEFAULT_URL if store.url is None and "SQLite" in spec.databases else store.url
    if url is not None and not store.trusted:
        check_confined(url, Path(store.directory))
    with signal_exceptions() as from_signals:
        try:
            check_options("backend", spec, store.options, own={"migrate"})
            backend = spec.open(store.url, migrate=migrate, **store.options)
        except (ImportError, SystemExit) as error:
            if from_signals:
                raise
            raise BACKENDS.is_broken(offer, error) from error
        except ValidationError as error:
            if store.file is None:
                raise
            message = f"{error.message} ({store.file} configures this store.)"
            raise type(error)(message, details=error.details) from error
    if not isinstance(backend, Backend):
        mistake = TypeError(f"its open() returns {short_repr(backend)} instead of a Backend")
        raise BACKENDS.is_broken(offer, mistake) from mistake
    return backend


def load_spec(name: str) -> BackendSpec:
    """Load the plugin of this name and return its description; no other plugin is loaded.

    Raises:
        UnknownBackendError: no backend of this name is installed.
        BrokenBackendError: it cannot be loaded.
        IncompatibleBackendError: it is for another version of the ports.
        DependencyNotAvailableError: its ORM is not installed.
    """
    return BACKENDS.load(BACKENDS.find(name))


def installed_backends() -> list[BackendInfo]:
    """Return all installed backends by name, also broken and incompatible ones.

    Each plugin is loaded in this process. All its exceptions are caught, also `SystemExit` and its own
    `KeyboardInterrupt`. Its output is not suppressed, and its `os._exit` ends this process.
    """
    return BACKENDS.listed()
