"""Confinement of configuration files that another user may have written to SQLite files in their own directory.

Otherwise such a file could send a password from the environment to its author's server, or make a migration add tables
to the database of another application.
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
    # SQLite follows symbolic links of the companion files (-wal, -shm, -journal) too.
    places = [os.path.realpath(path + suffix) for suffix in _SIDE_FILES]
    return all(os.path.commonpath([root, place]) == root and place != root for place in places)


def check_confined(url: str, directory: Path) -> None:
    """Reject a store that an untrusted file names outside its directory.

    A store that holds tables of another application is rejected too: opening would change the file, and a migration
    would add tables.

    Args:
        url: the URL of the store.
        directory: the directory that must contain it.

    Raises:
        ValidationError: the store is outside the directory, or belongs to another application.
    """
    path = _path_of(url)
    if not is_confined(url, directory):
        message = (
            f"The selected store is outside {os.path.realpath(directory)}, a directory that other users can write. If "
            "this is intended, name the store with --url or ASM_URL."
        )
        raise ValidationError(message)
    foreign = [] if path is None else _tables_of_others(path)
    if foreign:
        message = (
            f"{path} holds tables of another application ({', '.join(foreign[:_SHOWN_TABLES])}). If asm should add its "
            "tables there, name the store with --url or ASM_URL."
        )
        raise ValidationError(message)


def _path_of(url: str) -> str | None:
    found = _SQLITE.fullmatch(url)
    path = unquote(found[1]) if found else None
    return None if path is None or "\0" in path else path


def _tables_of_others(path: str) -> list[str]:
    """Return the tables of a SQLite file without tables of ours."""
    import sqlite3  # noqa: PLC0415  rarely needed
    from contextlib import closing  # noqa: PLC0415

    try:
        with closing(sqlite3.connect(f"file:{quote(os.path.realpath(path))}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    except (sqlite3.Error, ValueError):
        return []  # there is no file, or the backend cannot open it either
    names = [str(name) for (name,) in rows]
    return [] if "asm_schema_migrations" in names else names
