"""Plugins: lookup of backends by name, through entry points of the group ``asm.backends``."""

from asm_core.plugins.registry import hookimpl, installed_backends, load_spec, open_backend, open_store, resolve_store
from asm_core.plugins.specs import BackendInfo, BackendSpec

__all__ = [
    "BackendInfo",
    "BackendSpec",
    "hookimpl",
    "installed_backends",
    "load_spec",
    "open_backend",
    "open_store",
    "resolve_store",
]
