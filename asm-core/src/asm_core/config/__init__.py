"""Configuration: selection of the store from arguments, the environment and files."""

from asm_core.config.stores import DEFAULT_BACKEND, DEFAULT_URL, StoreConfig, resolve_store

__all__ = ["DEFAULT_BACKEND", "DEFAULT_URL", "StoreConfig", "resolve_store"]
