"""A backend that keeps everything in one file: durable, for many processes, and no SQL in it."""

from __future__ import annotations

import fcntl
import os
import pickle
import threading
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final

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
    "commits",
)


class FileLock:
    """Holds one process, and in it one thread, at the file; reads it at the beginning and writes it at the end."""

    def __init__(self, state: State, path: Path) -> None:
        self._state = state
        self._path = path
        self._threads = threading.RLock()
        self._depth = 0
        self._seen: object = None
        self._is_left = False
        self._file: IO[str] | None = None

    def leave(self) -> None:
        """Leave the file and its lock to the parent, in a child."""
        self._is_left = True
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> None:
        self._threads.acquire()
        if self._depth == 0:
            self._file = self._path.with_suffix(".lock").open("w")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._load()
        self._depth += 1

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._file is not None and not self._is_left:
            if self._state.commits != self._commits:
                self._save()
            # A process forked meanwhile may hold a copy of the file, which would keep the lock.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
        self._threads.release()

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
        self.lock: Any = FileLock(self, path)
        self._path = path

    def after_fork(self) -> None:
        lock = self.lock
        super().after_fork()
        lock.leave()
        self.lock = FileLock(self, self._path)


class FileSessionStore(MemorySessionStore):
    def _commit_token(self) -> object:
        return self._state.lock.version()


class FileBackend(MemoryBackend):
    name = "file"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.DURABLE, Capability.MULTI_PROCESS, Capability.TRANSACTIONS}
    )

    def __init__(self, path: Path) -> None:
        super().__init__(FileState(path))
        self.session_store = FileSessionStore(self._state)
