"""What a configuration that another user may have written can name: a SQLite file inside its own directory, no more.

Such a file could otherwise send a password from the environment to a server of its author's, or have a migration add
tables to the database of another application.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from asm_core.errors import ValidationError

if TYPE_CHECKING:
    from pathlib import Path

_SQLITE: Final = re.compile(r"sqlite:///([^?\0]+)")
_SIDE_FILES: Final = ("", "-wal", "-shm", "-journal")
_SHOWN_TABLES: Final = 3


def is_confined(url: str, directory: Path) -> bool:
    """Return whether `url` names a SQLite file inside `directory`, symbolic links resolved, or one in memory."""
    if url == "sqlite://":
        return True
    path = _path_of(url)
    if path is None:
        return False
    root = os.path.realpath(directory)
    # SQLite writes to the files beside it, wherever they lead.
    places = [os.path.realpath(path + suffix) for suffix in _SIDE_FILES]
    return all(os.path.commonpath([root, place]) == root and place != root for place in places)


def check_confined(url: str, directory: Path) -> None:
    """Refuse a store that neither the user nor a trusted file named, if it leads out of its directory.

    Also where it holds tables of another application: opening it would change the file, and migrating it add tables.

    Args:
        url: the store's place.
        directory: the one in which it must be.

    Raises:
        ValidationError: it is elsewhere, or another application's.
    """
    path = _path_of(url)
    if not is_confined(url, directory):
        message = (
            f"The store that would be used here leads out of {os.path.realpath(directory)}, a directory that others "
            "can write. Name it with --url or ASM_URL if that is meant."
        )
        raise ValidationError(message)
    foreign = [] if path is None else _tables_of_others(path)
    if foreign:
        message = (
            f"{path} holds tables of another application ({', '.join(foreign[:_SHOWN_TABLES])}), and no file that you "
            "named says that asm may add its own. Name the store with --url or ASM_URL if that is meant."
        )
        raise ValidationError(message)


def _path_of(url: str) -> str | None:
    found = _SQLITE.fullmatch(url)
    path = unquote(found[1]) if found else None
    return None if path is None or "\0" in path else path


def _tables_of_others(path: str) -> list[str]:
    """Return the tables of a SQLite file that has none of ours."""
    import sqlite3  # noqa: PLC0415  not what everyone needs
    from contextlib import closing  # noqa: PLC0415

    try:
        with closing(sqlite3.connect(f"file:{quote(os.path.realpath(path))}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    except (sqlite3.Error, ValueError):
        return []  # there is none, or none that the backend could open either
    names = [str(name) for (name,) in rows]
    return [] if "asm_schema_migrations" in names else names
