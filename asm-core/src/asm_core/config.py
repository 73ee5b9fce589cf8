"""Which store to open: from arguments, the environment, and files."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from asm_core.errors import ValidationError, shown

DEFAULT_BACKEND: Final = "sqlmodel"
DEFAULT_URL: Final = "sqlite:///asm.db"


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A store to open: the name of its backend, its URL, and the backend's own options."""

    backend: str
    url: str | None
    options: dict[str, Any]

    def __repr__(self) -> str:
        """Return it without the URL, which may hold a password."""
        return f"StoreConfig(backend={self.backend!r}, options={sorted(self.options)})"


def resolve_store(
    name: str | None = None, *, url: str | None = None, config: str | None = None, options: dict[str, Any] | None = None
) -> StoreConfig:
    """Return the store to open.

    What is not given comes from the environment (``ASM_BACKEND``, ``ASM_URL``), then from ``asm.toml`` in the working
    directory, then from ``[tool.asm]`` in ``pyproject.toml``, then from the defaults: ``sqlmodel`` on
    ``sqlite:///asm.db``. A store named by `config` is one of the tables ``[stores.NAME]`` of the same files; the
    environment, which knows only one store, has no say in it.

    Raises:
        ValidationError: a file cannot be read as TOML, a key's value makes no sense, or `config` names no store.
    """
    table = _named_store(config) if config is not None else {**_file_table(), **_environment()}
    table = {key: value for key, value in table.items() if key != "stores"}
    backend, found_url = table.pop("backend", None), table.pop("url", None)
    for key, value in (("backend", backend), ("url", found_url)):
        if value is not None and not isinstance(value, str):
            message = f"The configuration's {key} must be a string, not {shown(type(value).__name__)}."
            raise ValidationError(message)
    if name is not None and name != backend:
        # What a file says of one backend is not meant for another: neither its URL nor its options.
        table, found_url = {}, None if backend is not None else found_url
    return StoreConfig(
        backend=name or backend or DEFAULT_BACKEND, url=url or found_url, options={**table, **(options or {})}
    )


def _environment() -> dict[str, str]:
    keys = {"backend": "ASM_BACKEND", "url": "ASM_URL"}
    return {key: value for key, variable in keys.items() if (value := os.environ.get(variable))}


def _named_store(name: str) -> dict[str, Any]:
    stores = _file_table().get("stores", {})
    if not isinstance(stores, dict) or not isinstance(stores.get(name), dict):
        known = ", ".join(sorted(stores)) if isinstance(stores, dict) and stores else "none"
        message = f"No store is configured as [stores.{name}] in asm.toml or pyproject.toml. There are: {known}."
        raise ValidationError(message)
    table: dict[str, Any] = stores[name]
    return table


def _file_table() -> dict[str, Any]:
    own = _read_toml(Path("asm.toml"))
    if own is not None:
        return own
    tool = (_read_toml(Path("pyproject.toml")) or {}).get("tool")
    table = tool.get("asm", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        message = f"[tool.asm] in pyproject.toml must be a table, not {shown(table)}."
        raise ValidationError(message)
    return table


def _read_toml(path: Path) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path} cannot be read as TOML: {error}."
        raise ValidationError(message) from error
