"""A backend that keeps everything in one file: durable, for many processes, and no SQL in it."""

from __future__ import annotations

import fcntl
import os
import pickle
from typing import IO, TYPE_CHECKING, Final

from asm_core import Capability
from asm_core.memory import MemoryBackend, State
from asm_core.memory.session_store import MemorySessionStore

if TYPE_CHECKING:
    from pathlib import Path

TABLES: Final = (
    "sessions",
    "runs",
    "events",
    "logs",
    "counters",
    "log_ids",
    "activity",
    "removing",
    "artifacts",
    "records",
    "commits",
)


class FileLock:
    """Holds one process at the file; reads it at the beginning and writes it at the end."""

    def __init__(self, state: State, path: Path) -> None:
        self._state = state
        self._path = path
        self._seen: object = None
        self._is_left = False
        self._file: IO[str] | None = None

    def leave(self) -> None:
        """Leave the file and its lock to the parent, in a child."""
        self._is_left = True
        if self._file is not None:
            self._file.close()

    def take(self) -> None:
        self._file = self._path.with_suffix(".lock").open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._load()

    def give_back(self) -> None:
        if self._file is not None and not self._is_left:
            if self._state.commits != self._commits:
                self._save()
            # A process forked meanwhile may hold a copy of the file, which would keep the lock.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()

    def version(self) -> object:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _load(self) -> None:
        if self._seen != self.version():
            for table, content in pickle.loads(self._path.read_bytes()).items():  # noqa: S301  our own file
                setattr(self._state, table, content)
            self._seen = self.version()
        self._commits = self._state.commits

    def _save(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_bytes(pickle.dumps({table: getattr(self._state, table) for table in TABLES}))
        os.replace(new, self._path)  # noqa: PTH105  a killed process leaves the old file or the new one
        self._seen = self.version()


class FileState(State):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.file = FileLock(self, path)
        self._path = path

    def after_fork(self) -> None:
        file = self.file
        super().after_fork()
        file.leave()
        self.file = FileLock(self, self._path)

    def _begun(self) -> None:
        self.file.take()

    def _ended(self) -> None:
        self.file.give_back()


class FileSessionStore(MemorySessionStore):
    def _commit_token(self) -> object:
        return self._state.file.version()


class FileBackend(MemoryBackend):
    name = "file"
    capabilities = frozenset({Capability.DURABLE, Capability.MULTI_PROCESS, *MemoryBackend.capabilities})

    def __init__(self, path: Path) -> None:
        super().__init__(FileState(path))
        self.session_store = FileSessionStore(self._state)
