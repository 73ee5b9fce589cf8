"""Which store to open: from arguments, the environment, and files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from asm_core.config.confinement import is_confined
from asm_core.config.files import ConfigFile, distrust_of, found_file, named_file
from asm_core.errors import ValidationError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_BACKEND: Final = "sqlmodel"
DEFAULT_URL: Final = "sqlite:///asm.db"
_RESERVED: Final = {
    "migrate": "the schema is brought up to date by `asm db upgrade`, or by migrate=True",
    "store": "a store is chosen by --store",
    "config": "a file is chosen by --config or ASM_CONFIG",
}


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A store to open.

    Attributes:
        backend: the name of its backend.
        url: its place; None: what the backend takes by default.
        options: the backend's own options.
        trusted: whether the user, or a file that only the user can write, named the place. If not, `open_backend` takes
            only a store inside the working directory, and adds no tables to the database of another application.
        file: the file that the url or an option comes from, if one does.
    """

    backend: str
    url: str | None
    options: dict[str, Any]
    trusted: bool = True
    file: str | None = None

    def __repr__(self) -> str:
        """Return it without the URL, which may hold a password."""
        return f"StoreConfig(backend={self.backend!r}, options={sorted(self.options)})"


class _Source(NamedTuple):
    """What one source names of the store; None where it names nothing."""

    backend: str | None
    url: str | None
    options: dict[str, Any]
    file: ConfigFile | None = None


def resolve_store(
    name: str | None = None,
    *,
    url: str | None = None,
    store: str | None = None,
    config: str | os.PathLike[str] | None = None,
    options: dict[str, Any] | None = None,
) -> StoreConfig:
    """Return the store to open.

    What is not given comes from the environment (``ASM_BACKEND``, ``ASM_URL``), then from a file: the one that
    ``ASM_CONFIG`` names, else ``asm.toml`` in the working directory, else ``[tool.asm]`` of ``pyproject.toml`` there.
    The defaults are ``sqlmodel`` on ``sqlite:///asm.db``. A file that was found, and that another user owns or others
    can write, may only name a SQLite file inside its own directory.

    Args:
        name: the backend's name.
        url: the store's place.
        store: the name of one of the tables ``[stores.NAME]`` of the file; `ASM_BACKEND` and `ASM_URL` are not asked.
        config: the file to take instead of any other; `ASM_BACKEND` and `ASM_URL` are not asked.
        options: the backend's own options.

    Raises:
        ValidationError: a file cannot be read as TOML or is not trusted with what it says, a key's value makes no
            sense, or `store` names none.
    """
    given = _Source(_text("name", name), _text("url", url), options or {})
    asked = [given] if store is not None or config is not None else [given, _environment()]
    file = _file(config, is_place_named=any(source.url for source in asked))
    sources = [*asked, _configured(file, store)]
    backend = next((source.backend for source in sources if source.backend), DEFAULT_BACKEND)
    # What is said of one backend is not meant for another: neither its URL nor its options.
    return _merged(backend, [source for source in sources if source.backend in {None, backend}])


def _merged(backend: str, sources: list[_Source]) -> StoreConfig:
    place = next((source for source in sources if source.url), None)
    used = {source.file.path for source in sources if source.file and (source is place or source.options)}
    return StoreConfig(
        backend=backend,
        url=place and place.url,
        options={key: value for source in reversed(sources) for key, value in source.options.items()},
        trusted=_is_here_trusted() if place is None else place.file is None or place.file.distrust is None,
        file=str(used.pop()) if used else None,
    )


def _file(config: str | os.PathLike[str] | None, *, is_place_named: bool) -> ConfigFile | None:
    named = os.environ.get("ASM_CONFIG") or None if config is None else config
    if named is None:
        # Where the user named the place, a file that is not trusted has nothing to add.
        return found_file(trusted_only=is_place_named)
    if not isinstance(named, str | os.PathLike) or "\0" in os.fspath(named):
        message = f"config must be the path of a file, not {shown(named)}."
        raise ValidationError(message)
    return named_file(Path(named))


def _environment() -> _Source:
    return _Source(backend=os.environ.get("ASM_BACKEND") or None, url=os.environ.get("ASM_URL") or None, options={})


def _configured(file: ConfigFile | None, store: str | None) -> _Source:
    stores = file.table.get("stores", {}) if file else {}
    if not isinstance(stores, dict):
        message = f"stores in {file and file.path} must be a table, with a table [stores.NAME] for each store."
        raise ValidationError(message)
    if store is not None:
        return _of_table(file, _named_table(file, stores, store), f"[stores.{store}] ")
    if file is None:
        return _Source(None, None, {})
    return _of_table(file, {key: value for key, value in file.table.items() if key != "stores"}, "")


def _named_table(file: ConfigFile | None, stores: dict[str, Any], store: object) -> dict[str, Any]:
    table = stores.get(store) if isinstance(store, str) else None
    if not isinstance(table, dict):
        place = file.path if file else "asm.toml or pyproject.toml"
        known = ", ".join(sorted(stores)) or "none"
        message = f"No store is configured as [stores.{store}] in {place}. There are: {known}."
        raise ValidationError(message)
    return table


def _of_table(file: ConfigFile | None, table: dict[str, Any], place: str) -> _Source:
    for key in ("backend", "url"):
        if not isinstance(table.get(key, ""), str):
            kind = type(table[key]).__name__
            message = f"{place}{key} in {file and file.path} must be a string, not {kind}."
            raise ValidationError(message)
    for key, advice in _RESERVED.items():
        if key in table:
            message = f"{place}{key} in {file and file.path} is no option of a store: {advice}; remove the key."
            raise ValidationError(message)
    options = {key: value for key, value in table.items() if key not in {"backend", "url"}}
    source = _Source(table.get("backend"), table.get("url"), options, file)
    if file is not None and file.distrust is not None:
        return _confined(file, source, place)
    return source


def _confined(file: ConfigFile, source: _Source, place: str) -> _Source:
    """Return what a file that is not trusted names, if it is a store inside its directory and nothing more."""
    url = source.url or DEFAULT_URL
    refused: Iterable[str] = source.options
    if not is_confined(url, file.path.parent):
        refused = ["url", *refused]
    if refused:
        message = (
            f"{file.path} is not trusted, as it was found, not named, and {file.distrust}: it may only name a SQLite "
            f"file inside its own directory, and says more: {place}{', '.join(map(shown, refused))}. If you trust it, "
            f"name it: --config {file.path}, or ASM_CONFIG={file.path}."
        )
        raise ValidationError(message, details={"file": str(file.path), "keys": list(refused)})
    return source._replace(url=url)


def _is_here_trusted() -> bool:
    return distrust_of(os.stat(os.curdir)) is None  # noqa: PTH116


def _text(field: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        message = f"{field} must be a string, not {shown(value)}."
        raise ValidationError(message)
    return value
