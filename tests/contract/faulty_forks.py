"""Backends whose forked children do harm, and the test that is meant to catch each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fault_registry import caught_by
from file_backend import FileBackend, FileLock

from asm_core import StorageError

if TYPE_CHECKING:
    from pathlib import Path


class LockOfTheParent(FileLock):
    """Gives up soon, so that the test need not wait."""

    def __enter__(self) -> None:
        if not self._threads.acquire(timeout=1):
            raise StorageError("a thread that is not here holds the lock")
        try:
            super().__enter__()
        finally:
            self._threads.release()


@caught_by("test_a_child_works_although_another_thread_was_in_a_transaction")
class KeepsLocksInTheChild(FileBackend):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._state.lock = LockOfTheParent(self._state, path)
        self._state.after_fork = lambda: None  # type: ignore[method-assign]


class Draft(FileLock):
    """Makes the new file when a transaction begins."""

    def _load(self) -> None:
        super()._load()
        self._path.with_suffix(".draft").touch()

    def _save(self) -> None:
        self._path.with_suffix(".draft").unlink()
        super()._save()


@caught_by("test_a_child_that_ends_leaves_the_transaction_of_its_parent_open")
class ThrowsAwayTheDraft(FileBackend):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._draft = path.with_suffix(".draft")
        self._state.lock = Draft(self._state, path)

    def close(self) -> None:
        self._draft.unlink(missing_ok=True)
