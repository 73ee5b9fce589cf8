"""Waiting for events: one watcher thread serves all waiters of a store."""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack, nullcontext, suppress
from typing import TYPE_CHECKING, NamedTuple

from asm_core.concurrency.threads import begin_thread
from asm_core.errors import AsmError, StorageError, ValidationError, short_repr
from asm_core.querying.heads import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager

    from asm_core.querying.heads import Head

    Tell = Callable[[str | None], None]
    Wake = Callable[[Head | AsmError | None], object]

SHORTEST_PAUSE = 0.002
LONGEST_PAUSE = 0.05
BUSY_SECONDS = 1.0
"""After an event or a new waiter, the watcher polls every 2 ms for a second, then less often, down to every 50 ms."""
IDLE_SHARE = 0.0085
DEAREST_PAUSE = 0.1
"""Limits of the rest after an expensive poll, up to 100 ms, so that an idle waiter takes less than 1% of a core. With
cold processor caches, one poll takes some hundred microseconds.
"""


class Watch(NamedTuple):
    """A waiter without a thread."""

    known: Collection[Head]
    wake: Wake


class Watcher:
    """Polls the heads of sessions in one thread for all waiters; sleeps without waiters.

    Commits of this process wake it at once (`notify`). Commits of other processes are found by polling, or earlier if
    the store can notify.
    """

    def __init__(
        self,
        heads: Callable[[Collection[str]], dict[str, Head]],
        commit_token: Callable[[], object] = lambda: None,
        subscribe: Callable[[Tell], AbstractContextManager[object]] = lambda _: nullcontext(),
    ) -> None:
        """Poll `heads`, but only when `commit_token` (None: unknown) has changed.

        The context of `subscribe` is open while there are waiters, and may call its argument, `tell`.
        """
        self._load_heads = heads
        self._commit_token = commit_token
        self._subscribe = subscribe
        lock = threading.RLock()
        self._condition = threading.Condition(lock)
        self._advanced = threading.Condition(lock)  # for waiters: notifications of the watcher do not wake them
        self._waiting: dict[str, int] = {}
        self._watches: dict[str, dict[int, Watch]] = {}
        self._heads: dict[str, Head] = {}
        self._looks = 0
        self._first_looks: dict[str, int] = {}
        self._tellings: dict[str, int] = {}
        self._stale = True
        self._active_at = 0.0
        self._error: AsmError | None = None
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Poll now, after a commit of this process."""
        if self._waiting:
            with self._condition:
                self._stale = True
                self._condition.notify_all()

    def tell(self, session_id: str | None) -> None:
        """Wake the waiters of a session that has new events; None: poll all sessions."""
        if session_id is None:
            self.notify()
            return
        with self._condition:
            if session_id in self._waiting:
                self._tellings[session_id] = self._tellings.get(session_id, 0) + 1
                self._advanced.notify_all()
            watches = self._watches.pop(session_id, {})
        for watch in watches.values():
            watch.wake(None)

    def wait(self, session_id: str, known: Collection[Head], timeout: float | None) -> Head | None:
        """Wait until the session's head is not in `known`, and return it: greater, lower, of another log, or `GONE`.

        Returns None if the watcher was notified of the session, or after `timeout` seconds (None: no limit). A returned
        head was read after this call began.

        Raises:
            AsmError: the poll failed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        tellings = self._join(session_id, known)
        try:
            with self._condition:
                while self._error is None:
                    found = self._heads.get(session_id)
                    if found is not None and found not in known:
                        return found
                    if self._tellings.get(session_id) != tellings:
                        return None
                    left = threading.TIMEOUT_MAX if deadline is None else deadline - time.monotonic()
                    if left <= 0:
                        return None
                    self._advanced.wait(min(left, threading.TIMEOUT_MAX))
                raise self._error
        finally:
            self._leave(session_id)

    def watch(self, session_id: str, known: Collection[Head], wake: Wake) -> Callable[[], None]:
        """Wait as `wait` does, without a thread and a timeout; return a function that ends the wait.

        `wake` is called once, in another thread, with the head, None, or the error that `wait` would raise. The caller
        ends the wait in any case, and only once.
        """
        watch = Watch(known, wake)
        with self._condition:
            self._join(session_id, known)
            self._watches.setdefault(session_id, {})[id(watch)] = watch

        def end() -> None:
            with self._condition:
                watches = self._watches.get(session_id, {})
                watches.pop(id(watch), None)
                if not watches:
                    self._watches.pop(session_id, None)
                self._leave(session_id)

        return end

    def _join(self, session_id: str, known: Collection[Head]) -> int | None:
        with self._condition:
            if self._thread is None or not self._thread.is_alive():
                # Before the waiter is counted, because this may fail. The thread does not poll while the lock is held.
                self._thread = threading.Thread(target=self._work, name="asm-watcher", daemon=True)
                begin_thread(self._thread, "poll for new events")
            if self._heads.get(session_id) not in known:
                # It may be older than what the caller has seen, and so may the head of a poll in progress.
                self._heads.pop(session_id, None)
                self._first_looks[session_id] = self._looks + 1
            self._waiting[session_id] = self._waiting.get(session_id, 0) + 1
            self._stale, self._error = True, None
            self._active_at = time.monotonic()
            self._condition.notify_all()
            return self._tellings.get(session_id)

    def _leave(self, session_id: str) -> None:
        with self._condition:
            self._waiting[session_id] -= 1
            if not self._waiting[session_id]:
                del self._waiting[session_id]
                self._heads.pop(session_id, None)
                self._first_looks.pop(session_id, None)
                self._tellings.pop(session_id, None)
            self._condition.notify_all()

    def _work(self) -> None:
        with ExitStack() as stack:
            with suppress(Exception):  # commits without a notification are found by polling
                stack.enter_context(self._subscribe(self.tell))
            self._watch()

    def _watch(self) -> None:
        token: object = None
        spent = time.thread_time()
        while True:
            with self._condition:
                if not self._waiting:
                    self._condition.wait(BUSY_SECONDS)  # followers return within a moment
                if not self._waiting:
                    self._thread = None
                    return
                session_ids = list(self._waiting)
                stale, self._stale = self._stale, False
                self._looks += 1
            try:
                new_token = self._commit_token()
                if stale or new_token is None or new_token != token:
                    # The token was read before the heads: a commit in between is found by the next poll.
                    self._publish(session_ids, self._load_heads(session_ids))
                token = new_token
            except AsmError as error:
                self._fail(error)
                return
            except BaseException as error:  # noqa: BLE001  waiters must not wait forever
                failure = StorageError(f"Polling for new events failed: {type(error).__name__}: {error}.")
                failure.__cause__ = error
                self._fail(failure)
                return
            before, spent = spent, time.thread_time()
            with self._condition:
                if not self._stale:
                    self._condition.wait(self._pause(spent - before))

    def _publish(self, session_ids: list[str], heads: dict[str, Head]) -> None:
        woken: list[tuple[Watch, Head]] = []
        with self._condition:
            for session_id in session_ids:
                head = heads.get(session_id, GONE)
                is_old = self._looks < self._first_looks.get(session_id, 0)
                if session_id in self._waiting and not is_old and self._heads.get(session_id) != head:
                    self._heads[session_id] = head
                    self._active_at = time.monotonic()
                    self._advanced.notify_all()
                    watches = self._watches.get(session_id, {})
                    due = [key for key, watch in watches.items() if head not in watch.known]
                    woken += [(watches.pop(key), head) for key in due]
        # After the lock is released: each wake takes some microseconds.
        for watch, head in woken:
            watch.wake(head)

    def _fail(self, error: AsmError) -> None:
        with self._condition:
            self._error, self._thread = error, None
            self._advanced.notify_all()
            failed, self._watches = self._watches, {}
        for watches in failed.values():
            for watch in watches.values():
                watch.wake(error)

    def _pause(self, cost: float) -> float:
        """Return the seconds to rest after a poll that took this many CPU seconds, the wakeup included."""
        idle = time.monotonic() - self._active_at
        longest = max(LONGEST_PAUSE, min(cost / IDLE_SHARE, DEAREST_PAUSE))
        return min(longest, SHORTEST_PAUSE * max(1.0, idle / BUSY_SECONDS))


def check_wait(field: str, value: object) -> float:
    """Return `value` if it is a valid timeout in seconds.

    Raises:
        ValidationError: it is not a number, negative, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        message = f"{field} must be a number of seconds, 0 or more, not {short_repr(value)}."
        raise ValidationError(message)
    return float(min(value, threading.TIMEOUT_MAX))
