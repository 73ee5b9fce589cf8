"""Plugins: lookup of backends and providers by name, through entry points."""

from asm_core.plugins.dependencies import check_installed, lazy_names
from asm_core.plugins.loading import hookimpl
from asm_core.plugins.providers import installed_providers, open_provider
from asm_core.plugins.registry import installed_backends, load_spec, open_backend, open_store, resolve_store
from asm_core.plugins.specs import BackendInfo, BackendSpec, ProviderInfo, ProviderSpec

__all__ = [
    "BackendInfo",
    "BackendSpec",
    "ProviderInfo",
    "ProviderSpec",
    "check_installed",
    "hookimpl",
    "installed_backends",
    "installed_providers",
    "lazy_names",
    "load_spec",
    "open_backend",
    "open_provider",
    "open_store",
    "resolve_store",
]
