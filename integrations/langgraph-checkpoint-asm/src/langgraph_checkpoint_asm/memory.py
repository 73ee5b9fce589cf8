"""What a saver remembers of the threads it wrote, so that a checkpoint costs one append."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_THREADS: Final = 500
_CHECKPOINTS: Final = 200


class Thread:
    """What is known of a thread.

    Attributes:
        lock: held while messages are claimed.
        heads: the greatest id of a checkpoint in each namespace.
        messages: the keys of messages that have events; None: not read yet.
        runs: the runs of the last checkpoints, by namespace and id.
        waiting: what tasks wrote to checkpoints that are not stored yet, by namespace and id.
        marked: the runs of LangGraph's that have a marker.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.lock = threading.Lock()
        self.heads: dict[str, str] = {}
        self.messages: set[str] | None = None
        self.runs: OrderedDict[tuple[str, str], str] = OrderedDict()
        self.waiting: dict[tuple[str, str], list[tuple[str, Any]]] = {}
        self.marked: set[str] = set()

    def wait_for(self, ns: str, checkpoint_id: str, writes: Iterable[tuple[str, Any]]) -> None:
        """Keep what a task wrote until its checkpoint is stored; forget the oldest, whose checkpoint may never be."""
        self.waiting.setdefault((ns, checkpoint_id), []).extend(writes)
        if len(self.waiting) > _CHECKPOINTS:
            self.waiting.pop(next(iter(self.waiting)), None)

    def give_back(self, keys: Iterable[str]) -> None:
        """Forget messages whose events could not be stored."""
        if self.messages is not None:
            self.messages.difference_update(keys)

    def remember_run(self, ns: str, checkpoint_id: str, run_id: str) -> None:
        """Remember the run of a checkpoint, and forget the oldest."""
        self.runs[ns, checkpoint_id] = run_id
        if len(self.runs) > _CHECKPOINTS:
            self.runs.popitem(last=False)

    def remember_head(self, ns: str, checkpoint_id: str) -> None:
        """Remember a checkpoint if it has the greatest id."""
        if len(self.heads) > _CHECKPOINTS and ns not in self.heads:
            self.heads = {"": self.heads[""]} if "" in self.heads else {}
        self.heads[ns] = max(self.heads.get(ns, ""), checkpoint_id)


class Memory:
    """The threads of a saver, by session. Safe to share between threads of the interpreter."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._lock = threading.Lock()
        self._threads: OrderedDict[str, Thread] = OrderedDict()

    def find(self, session_id: str) -> Thread | None:
        """Return what is known of a thread whose session is stored, or None."""
        with self._lock:
            found = self._threads.get(session_id)
            if found is not None:
                self._threads.move_to_end(session_id)
            return found

    def begin(self, session_id: str) -> Thread:
        """Return a thread whose session is stored, remembered from now on."""
        with self._lock:
            found = self._threads.setdefault(session_id, Thread())
            if len(self._threads) > _THREADS:
                self._threads.popitem(last=False)
            return found

    def forget(self, session_id: str) -> None:
        """Forget a thread."""
        with self._lock:
            self._threads.pop(session_id, None)
