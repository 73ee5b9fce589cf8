"""Selection of the store from arguments, the environment and files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from asm_core.config.confinement import is_confined
from asm_core.config.files import ConfigFile, distrust_of, found_file, named_file
from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_BACKEND: Final = "sqlmodel"
DEFAULT_URL: Final = "sqlite:///asm.db"
_RELATIVE: Final = re.compile(r"sqlite:///([^/?].*)", re.DOTALL)
IN_MEMORY: Final = "memory"
"""The backend without a database, and the scheme of its URL."""
_OF_OTHERS: Final = {"agent", "user", "redaction", "retention", "provider", "providers", "stores"}
"""Top-level keys that are no options of the store."""
_OF_REPLICA: Final = {"read_url", "follow_replica"}
"""Options that belong to a URL."""
_RESERVED: Final = {
    "migrate": "to upgrade the schema, run `asm db upgrade` or pass migrate=True",
    "store": "to select a store, use --store",
    "config": "to select a file, use --config or ASM_CONFIG",
}


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A store to open.

    Attributes:
        backend: the name of its backend.
        url: its URL; None: the default of the backend.
        options: the options of the backend.
        trusted: whether the user, or a file that only the user can write, named the URL. If not, `open_backend` accepts
            only a store inside `directory`, and adds no tables to the database of another application.
        file: the file that configures the url or an option, if any.
        directory: the directory of the file that names the URL, or the working directory.
        url_source: where the URL comes from: ``argument``, ``ASM_URL``, the path of a file, or ``default``.
    """

    backend: str
    url: str | None
    options: dict[str, Any]
    trusted: bool = True
    file: str | None = None
    directory: str = os.curdir
    url_source: str = "default"

    def __repr__(self) -> str:
        """Format without the URL, which may contain a password."""
        return f"StoreConfig(backend={self.backend!r}, options={sorted(self.options)})"


class _Source(NamedTuple):
    """The settings of one source; None for those that it does not have."""

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
    default_backend: Callable[[], str] = lambda: DEFAULT_BACKEND,
) -> StoreConfig:
    """Resolve the store to open.

    Missing arguments come from the environment (``ASM_BACKEND``, ``ASM_URL``, ``ASM_READ_URL``, ``ASM_STORE``), then
    from a file: the one that ``ASM_CONFIG`` names, else the nearest ``asm.toml`` or ``[tool.asm]`` of a
    ``pyproject.toml``, in the working directory or above it, up to the root of the repository or the home directory. In
    a file above, a relative SQLite path is relative to the file. The defaults are the only durable backend that is
    installed, or else ``sqlmodel``, and ``sqlite:///asm.db``. A file that was found rather than named, and that another
    user owns or can write, may only name a SQLite file in its own directory.

    Args:
        name: the backend's name.
        url: the URL of the store.
        store: the name of a table ``[stores.NAME]`` of the file. The environment is then ignored, except `ASM_CONFIG`.
        config: the file to read instead of any other. The environment is then ignored.
        options: the options of the backend.
        default_backend: returns the backend to use if none is named.

    Raises:
        ValidationError: a file is not valid TOML or not trusted with its content, a key has an invalid value, or
            `store` is not configured.
    """
    given = _Source(_text("name", name), _text("url", url), options or {})
    asked = [given] if store is not None or config is not None else [given, _environment()]
    # If the user named the URL, an untrusted file is ignored.
    file = config_file(config, trusted_only=any(source.url for source in asked))
    if store is None and config is None:
        store = os.environ.get("ASM_STORE") or None
    sources = [*asked, _configured(file, store)]
    backend = next((source.backend for source in sources if source.backend), None) or default_backend()
    # The URL and the options of one backend do not apply to another.
    return _merged(backend, [source for source in sources if source is given or _applies(source, backend)])


def _applies(source: _Source, backend: str) -> bool:
    if source.backend is None and backend == IN_MEMORY:  # the URL of a database is for the default backend
        return str(source.url or source.options.get("read_url") or IN_MEMORY).startswith(IN_MEMORY)
    return source.backend in {None, backend}


def _merged(backend: str, sources: list[_Source]) -> StoreConfig:
    place = next((source for source in sources if source.url), None)
    used = {source.file.path for source in sources if source.file and (source is place or source.options)}
    return StoreConfig(
        backend=backend,
        url=place and place.url,
        options=_options(sources, place),
        trusted=_is_here_trusted() if place is None else place.file is None or place.file.distrust is None,
        directory=str(place.file.path.parent) if place and place.file else os.curdir,
        file=str(used.pop()) if used else None,
        url_source=_name_of(place, is_given=place is sources[0]),
    )


def _options(sources: list[_Source], place: _Source | None) -> dict[str, Any]:
    """Return the options of all sources. A replica does not apply to a URL of an earlier source, as `place` may be."""
    options: dict[str, Any] = {}
    for source in reversed(sources):
        options |= source.options
        if place is not None and source is place:
            for name in _OF_REPLICA - source.options.keys():
                options.pop(name, None)
    return options


def _name_of(place: _Source | None, *, is_given: bool) -> str:
    """Return where a URL comes from."""
    if place is None:
        return "default"
    if is_given:
        return "argument"
    return "ASM_URL" if place.file is None else str(place.file.path.absolute())


def config_file(config: str | os.PathLike[str] | None, *, trusted_only: bool = False) -> ConfigFile | None:
    """Return the configuration file: `config`, or that of ``ASM_CONFIG``, or the nearest one.

    Raises:
        ValidationError: it cannot be read, or is not TOML.
    """
    named = os.environ.get("ASM_CONFIG") or None if config is None else config
    if named is None:
        return found_file(trusted_only=trusted_only)
    if not isinstance(named, str | os.PathLike) or "\0" in os.fspath(named):
        message = f"config must be the path of a file, not {short_repr(named)}."
        raise ValidationError(message)
    return named_file(Path(named))


def _environment() -> _Source:
    replica = os.environ.get("ASM_READ_URL")
    return _Source(
        backend=os.environ.get("ASM_BACKEND") or None,
        url=os.environ.get("ASM_URL") or None,
        options={"read_url": replica} if replica else {},
    )


def _configured(file: ConfigFile | None, store: str | None) -> _Source:
    stores = file.table.get("stores", {}) if file else {}
    if not isinstance(stores, dict):
        message = f"stores in {file and file.path} must be a table, with a table [stores.NAME] for each store."
        raise ValidationError(message)
    if store is not None:
        return _of_table(file, _named_table(file, stores, store), f"[stores.{store}] ")
    if file is None:
        return _Source(None, None, {})
    return _of_table(file, {key: value for key, value in file.table.items() if key not in _OF_OTHERS}, "")


def _named_table(file: ConfigFile | None, stores: dict[str, Any], store: object) -> dict[str, Any]:
    table = stores.get(store) if isinstance(store, str) else None
    if not isinstance(table, dict):
        place = file.path if file else "asm.toml or pyproject.toml"
        known = ", ".join(sorted(stores)) or "none"
        message = f"No store is configured as [stores.{store}] in {place}. Configured stores: {known}."
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
            message = f"{place}{key} in {file and file.path} is not an option of a store: {advice}. Remove the key."
            raise ValidationError(message)
    options = {key: value for key, value in table.items() if key not in {"backend", "url"}}
    source = _Source(table.get("backend"), beside(file, table.get("url")), options, file)
    if file is not None and file.distrust is not None:
        return _confined(file, source, place)
    return source


def beside(file: ConfigFile | None, url: str | None) -> str | None:
    """Return a URL of a file that was found above the working directory, its SQLite path relative to the file."""
    relative = _RELATIVE.fullmatch(url or "")
    if file is None or not file.is_above or relative is None:
        return url
    return f"sqlite:///{quote(file.path.parent.as_posix().rstrip('/'))}/{relative[1]}"


def _confined(file: ConfigFile, source: _Source, place: str) -> _Source:
    """Return the settings of an untrusted file, which may only be a store inside its directory."""
    url = source.url or beside(file, DEFAULT_URL) or DEFAULT_URL
    refused: Iterable[str] = source.options
    if not is_confined(url, file.path.parent):
        refused = ["url", *refused]
    if refused:
        message = (
            f"{file.path} is not trusted, because {file.distrust}. It may only name a SQLite file inside its own "
            f"directory, but contains more: {place}{', '.join(map(short_repr, refused))}. If you trust it, name it: "
            f"--config {file.path}, or ASM_CONFIG={file.path}."
        )
        raise ValidationError(message, details={"file": str(file.path), "keys": list(refused)})
    return source._replace(url=url)


def _is_here_trusted() -> bool:
    return distrust_of(os.stat(os.curdir)) is None  # noqa: PTH116


def _text(field: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        message = f"{field} must be a string, not {short_repr(value)}."
        raise ValidationError(message)
    return value
