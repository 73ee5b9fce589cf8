"""Modes of database files."""

from __future__ import annotations

import os
from typing import Final

_PRIVATE: Final = 0o600
_LEFT_TO_THE_UMASK: Final = 0o666


def create_file(path: str, *, private: bool) -> None:
    """Create an empty file; SQLite gives its mode to ``-wal`` and ``-shm`` too.

    Args:
        path: the path of the file.
        private: set the mode 0600, whatever the umask.

    Raises:
        FileExistsError: the file exists; it is not changed.
        OSError: it cannot be created.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE if private else _LEFT_TO_THE_UMASK)
    try:
        if private and hasattr(os, "fchmod"):
            os.fchmod(descriptor, _PRIVATE)  # a umask can remove even the owner's permissions
    finally:
        os.close(descriptor)
