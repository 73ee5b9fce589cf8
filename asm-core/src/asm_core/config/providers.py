"""Selection of the provider from arguments, the environment and files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.config.stores import config_file
from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.config.files import ConfigFile

PROVIDER: Final = "provider"
PROVIDERS: Final = "providers"


class ProviderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A provider to open.

    Attributes:
        name: its name.
        options: its options.
    """

    name: str
    options: dict[str, Any]

    def __repr__(self) -> str:
        """Format without the values of the options, which may contain a key."""
        return f"ProviderConfig(name={self.name!r}, options={sorted(self.options)})"


def resolve_provider(
    name: str | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    options: dict[str, Any] | None = None,
    default_provider: Callable[[], str | None] = lambda: None,
) -> ProviderConfig:
    """Resolve the provider to open.

    Missing arguments come from the environment (``ASM_PROVIDER``, ``ASM_MODEL``), then from the file that
    `asm_core.config.resolve_store` reads: its key ``provider``, and the table ``[providers.NAME]`` with the options. A
    file that was found rather than named, and that another user owns or can write, must not configure a provider: it
    could send the user's key to another server.

    Args:
        name: the provider's name.
        config: the file to read instead of any other. The environment is then ignored.
        options: the options of the provider.
        default_provider: returns the provider to use if none is named.

    Raises:
        ValidationError: no provider is named, or a file is not valid or not trusted.
    """
    if name is not None and not isinstance(name, str):
        message = f"name must be a string, not {short_repr(name)}."
        raise ValidationError(message)
    environment = os.environ if config is None else {}
    file = config_file(config)
    table = {} if file is None else file.table
    tables = _tables(file, table)
    found = name or environment.get("ASM_PROVIDER") or table.get(PROVIDER) or default_provider()
    if not isinstance(found, str):
        message = "No provider is named. Name one with --provider, ASM_PROVIDER, or provider = in asm.toml."
        raise ValidationError(message)
    model = environment.get("ASM_MODEL")
    return ProviderConfig(
        name=found, options={**tables.get(found, {}), **({"model": model} if model else {}), **(options or {})}
    )


def _tables(file: ConfigFile | None, table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tables of providers of a file, once it is trusted with them."""
    tables = table.get(PROVIDERS, {})
    keys = [key for key in (PROVIDER, PROVIDERS) if key in table]
    if file is None or not keys:
        return {}
    if file.distrust is not None:
        message = (
            f"{file.path} is not trusted, because {file.distrust}, but configures a provider: {', '.join(keys)}. If "
            f"you trust it, name it: --config {file.path}, or ASM_CONFIG={file.path}."
        )
        raise ValidationError(message, details={"file": str(file.path), "keys": keys})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        message = f"providers in {file.path} must be a table, with a table [providers.NAME] for each provider."
        raise ValidationError(message)
    if not isinstance(table.get(PROVIDER, ""), str):
        message = f"provider in {file.path} must be a string, not {short_repr(table[PROVIDER])}."
        raise ValidationError(message)
    return tables
