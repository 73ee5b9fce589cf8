"""Modes of database files."""

from __future__ import annotations

import os
from typing import Final

_PRIVATE: Final = 0o600
_LEFT_TO_THE_UMASK: Final = 0o666


def create_file(path: str, *, private: bool) -> None:
    """Make an empty file; SQLite gives its mode to the files beside it, ``-wal`` and ``-shm``.

    Args:
        path: where.
        private: let only the owner read and write it, whatever the umask.

    Raises:
        FileExistsError: there is one; it is left as it is.
        OSError: it cannot be made.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE if private else _LEFT_TO_THE_UMASK)
    try:
        if private and hasattr(os, "fchmod"):
            os.fchmod(descriptor, _PRIVATE)  # a umask may take even the owner's rights
    finally:
        os.close(descriptor)
