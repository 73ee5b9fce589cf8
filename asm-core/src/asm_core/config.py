"""Which store to open: from arguments, the environment, and files."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

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


class _Source(NamedTuple):
    """What one source says of the store: nothing is said where there is None."""

    backend: str | None
    url: str | None
    options: dict[str, Any]


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
    given = _Source(backend=name, url=url, options=options or {})
    sources = [given, _named_store(config)] if config is not None else [given, _environment(), _configured()]
    backend = next((source.backend for source in sources if source.backend), DEFAULT_BACKEND)
    # What is said of one backend is not meant for another: neither its URL nor its options.
    fitting = [source for source in sources if source.backend in {None, backend}]
    return StoreConfig(
        backend=backend,
        url=next((source.url for source in fitting if source.url), None),
        options={key: value for source in reversed(fitting) for key, value in source.options.items()},
    )


def _environment() -> _Source:
    return _Source(backend=os.environ.get("ASM_BACKEND") or None, url=os.environ.get("ASM_URL") or None, options={})


def _configured() -> _Source:
    return _from_table({key: value for key, value in _file_table().items() if key != "stores"})


def _from_table(table: dict[str, Any]) -> _Source:
    for key in ("backend", "url"):
        value = table.get(key, "")
        if not isinstance(value, str):
            message = f"The configuration's {key} must be a string, not {shown(type(value).__name__)}."
            raise ValidationError(message)
    options = {key: value for key, value in table.items() if key not in {"backend", "url"}}
    return _Source(backend=table.get("backend"), url=table.get("url"), options=options)


def _named_store(name: str) -> _Source:
    stores = _file_table().get("stores", {})
    if not isinstance(stores, dict) or not isinstance(stores.get(name), dict):
        known = ", ".join(sorted(stores)) if isinstance(stores, dict) and stores else "none"
        message = f"No store is configured as [stores.{name}] in asm.toml or pyproject.toml. There are: {known}."
        raise ValidationError(message)
    return _from_table(stores[name])


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
