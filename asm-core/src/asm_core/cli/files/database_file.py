"""The file of a SQLite store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asm_core.config.stores import DEFAULT_URL
from asm_core.errors import ValidationError
from asm_core.plugins import load_spec
from asm_core.sql.dialects import Dialect
from asm_core.sql.urls import IN_MEMORY, sqlite_path

if TYPE_CHECKING:
    from asm_core.cli.parsing.store import Choice


def url_of(choice: Choice) -> str:
    """Return the URL of the selected store; empty if it has none."""
    store = choice.resolve()
    if store.url is None and "SQLite" in load_spec(store.backend).databases:
        return DEFAULT_URL
    return store.url or ""


def check_not_the_store(choice: Choice, target: Path) -> None:
    """Refuse to write an output over the database that it is read from; its writers would lose what they write.

    Raises:
        ValidationError: `target` is the file of the selected store.
    """
    url = url_of(choice)
    place = Path(sqlite_path(url) if url.startswith(Dialect.SQLITE) else IN_MEMORY)
    if target.exists() and place.exists() and target.samefile(place):
        message = f"{target} is the store itself. Choose another name."
        raise ValidationError(message)
