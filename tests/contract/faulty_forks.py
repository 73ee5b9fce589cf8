"""Backends whose forked children do harm, and the test that is meant to catch each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fault_registry import caught_by
from file_backend import FileBackend, FileLock

from asm_core import StorageError
from asm_core.concurrency.fair_lock import Turns

if TYPE_CHECKING:
    from pathlib import Path

    from asm_core.concurrency.places import Place


class TurnsOfTheParent(Turns):
    """Gives up soon, so that the test need not wait."""

    def take(self, turn: list[Place], timeout: float) -> bool:  # noqa: ARG002  it is too long
        if not super().take(turn, 1):
            raise StorageError("a thread that is not here holds the lock")
        return True


@caught_by("test_a_child_works_although_another_thread_was_in_a_transaction")
class KeepsLocksInTheChild(FileBackend):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._state._turns = TurnsOfTheParent()
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
        self._state.file = Draft(self._state, path)

    def close(self) -> None:
        self._draft.unlink(missing_ok=True)
