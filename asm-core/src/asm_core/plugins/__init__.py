"""Plugins: lookup of backends by name, through entry points of the group ``asm.backends``."""

from asm_core.plugins.dependencies import check_installed, lazy_names
from asm_core.plugins.registry import hookimpl, installed_backends, load_spec, open_backend, open_store, resolve_store
from asm_core.plugins.specs import BackendInfo, BackendSpec

__all__ = [
    "BackendInfo",
    "BackendSpec",
    "check_installed",
    "hookimpl",
    "installed_backends",
    "lazy_names",
    "load_spec",
    "open_backend",
    "open_store",
    "resolve_store",
]
