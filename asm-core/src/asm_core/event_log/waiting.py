"""Waiting for events: one watcher for all who wait on one store."""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack, nullcontext, suppress
from typing import TYPE_CHECKING

from asm_core.concurrency.threads import begin_thread
from asm_core.errors import AsmError, StorageError, ValidationError, shown
from asm_core.querying.heads import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager

    from asm_core.querying.heads import Head

    Tell = Callable[[str | None], None]

SHORTEST_PAUSE = 0.002
LONGEST_PAUSE = 0.05
BUSY_SECONDS = 1.0
"""After an event or a new waiter the watcher looks every 2 ms for a second; then less often, down to every 50 ms."""
IDLE_SHARE = 0.0085
DEAREST_PAUSE = 0.1
"""Where a look is dear, it looks less often yet, down to every 100 ms: an idle waiter takes less than a hundredth of a
core. One look takes some hundred microseconds when the processor's caches hold other things by then.
"""


class Watcher:
    """Looks, in one thread and for all who wait, whether the heads of sessions differ; rests when nobody waits.

    Commits of this process wake it at once (`notify`); those of other processes are found by looking, or sooner where
    the store can tell of them.
    """

    def __init__(
        self,
        heads: Callable[[Collection[str]], dict[str, Head]],
        change_token: Callable[[], object] = lambda: None,
        listening: Callable[[Tell], AbstractContextManager[object]] = lambda _: nullcontext(),
    ) -> None:
        """Look through `heads`, and only when `change_token` (None: unknown) has changed.

        While somebody waits, the context of `listening` is open, and may call what it is given: `tell`.
        """
        self._load_heads = heads
        self._change_token = change_token
        self._listening = listening
        lock = threading.RLock()
        self._condition = threading.Condition(lock)
        self._advanced = threading.Condition(lock)  # for those who wait: what is for the watcher wakes none of them
        self._waiting: dict[str, int] = {}
        self._heads: dict[str, Head] = {}
        self._looks = 0
        self._first_looks: dict[str, int] = {}
        self._tellings: dict[str, int] = {}
        self._stale = True
        self._active_at = 0.0
        self._error: AsmError | None = None
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Look now: this process has committed something."""
        if self._waiting:
            with self._condition:
                self._stale = True
                self._condition.notify_all()

    def tell(self, session_id: str | None) -> None:
        """Let those who wait for a session that is said to have new events go and see; None: look at all of them."""
        if session_id is None:
            self.notify()
            return
        with self._condition:
            if session_id in self._waiting:
                self._tellings[session_id] = self._tellings.get(session_id, 0) + 1
                self._advanced.notify_all()

    def wait(self, session_id: str, known: Collection[Head], timeout: float | None) -> Head | None:
        """Return the session's head once it is none of `known`: greater, lower, of another log, or `GONE`.

        None, if the watcher was notified of the session, or once `timeout` seconds (None: no limit) are over. A head
        that is returned was read after this call began.

        Raises:
            AsmError: what the look raised.
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

    def _join(self, session_id: str, known: Collection[Head]) -> int | None:
        with self._condition:
            if self._thread is None or not self._thread.is_alive():
                # Before the waiter is counted, as this may fail; the thread looks at nothing while the lock is held.
                self._thread = threading.Thread(target=self._work, name="asm-watcher", daemon=True)
                begin_thread(self._thread, "look for new events")
            if self._heads.get(session_id) not in known:
                # It may be older than what the caller has seen, and so may be that of a look under way.
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
            with suppress(Exception):  # what nobody tells of is found by looking
                stack.enter_context(self._listening(self.tell))
            self._watch()

    def _watch(self) -> None:
        token: object = None
        spent = time.thread_time()
        while True:
            with self._condition:
                if not self._waiting:
                    self._condition.wait(BUSY_SECONDS)  # whoever follows a log is back in a moment
                if not self._waiting:
                    self._thread = None
                    return
                session_ids = list(self._waiting)
                stale, self._stale = self._stale, False
                self._looks += 1
            try:
                new_token = self._change_token()
                if stale or new_token is None or new_token != token:
                    # The token was read before the heads: what is committed in between is found at the next look.
                    self._publish(session_ids, self._load_heads(session_ids))
                token = new_token
            except AsmError as error:
                self._fail(error)
                return
            except BaseException as error:  # noqa: BLE001  whoever waits must not wait for ever
                failure = StorageError(f"Looking for new events failed: {type(error).__name__}: {error}.")
                failure.__cause__ = error
                self._fail(failure)
                return
            before, spent = spent, time.thread_time()
            with self._condition:
                if not self._stale:
                    self._condition.wait(self._pause(spent - before))

    def _publish(self, session_ids: list[str], heads: dict[str, Head]) -> None:
        with self._condition:
            for session_id in session_ids:
                head = heads.get(session_id, GONE)
                is_old = self._looks < self._first_looks.get(session_id, 0)
                if session_id in self._waiting and not is_old and self._heads.get(session_id) != head:
                    self._heads[session_id] = head
                    self._active_at = time.monotonic()
                    self._advanced.notify_all()

    def _fail(self, error: AsmError) -> None:
        with self._condition:
            self._error, self._thread = error, None
            self._advanced.notify_all()

    def _pause(self, cost: float) -> float:
        """Return how long to rest after a look that took so many seconds of a processor, waking included."""
        idle = time.monotonic() - self._active_at
        longest = max(LONGEST_PAUSE, min(cost / IDLE_SHARE, DEAREST_PAUSE))
        return min(longest, SHORTEST_PAUSE * max(1.0, idle / BUSY_SECONDS))


def check_wait(field: str, value: object) -> float:
    """Return `value` if it is a number of seconds that one can wait.

    Raises:
        ValidationError: it is no number, negative or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        message = f"{field} must be a number of seconds, 0 or more, not {shown(value)}."
        raise ValidationError(message)
    return float(min(value, threading.TIMEOUT_MAX))
