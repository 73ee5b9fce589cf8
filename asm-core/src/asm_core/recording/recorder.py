"""Storing events in the background, as they happen."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Self, TypeVar

from asm_core.concurrency.threads import begin_thread
from asm_core.errors import ProviderError, StorageError
from asm_core.event_log.batches import CheckedEvents

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from asm_core.models import Event
    from asm_core.ports import SessionStore

T = TypeVar("T")

BATCH_EVENTS: Final = 4_096
BATCH_BYTES: Final = 8 << 20
"""The most that is appended at once. Larger batches spare little more, and hold up other writers for longer."""

QUEUE_EVENTS: Final = 16_384
QUEUE_BYTES: Final = 16 << 20
"""The most that waits to be stored: who hands over more waits, too."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class Recorder:
    """Appends events in the order in which they are handed over, in a thread of its own.

    While a batch is written the next one gathers, so that a quiet event is stored at once and a flood in large batches.
    What was stored is not kept. A context: at its end all that was handed over is stored, or `error` says why not.

    Attributes:
        error: what kept events from being stored.
        lost: how many events were not stored. The last batch counts as a whole: if the connection broke while it was
            committed, nobody knows.
    """

    def __init__(
        self,
        session_store: SessionStore,
        *,
        patience: float,
        on_stored: Callable[[list[Event]], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Record into `session_store`.

        Args:
            session_store: where to.
            patience: for how many seconds to repeat a batch while the store cannot be reached.
            on_stored: called with the events of each batch after it was stored, in the recorder's thread.
            on_failure: called when events cannot be stored, in the recorder's thread.
        """
        self._store = session_store
        self._patience = patience
        self._on_stored = on_stored
        self._on_failure = on_failure
        self._condition = threading.Condition()
        self._queue: deque[tuple[CheckedEvents, int]] = deque()
        self._events = 0
        self._bytes = 0
        self._closed = False
        self.error: BaseException | None = None
        self.lost = 0
        self._thread = threading.Thread(target=self._record, name="asm-recorder")

    def __enter__(self) -> Self:
        """Start the thread.

        Raises:
            StorageConnectionError: the system has no room for it.
        """
        begin_thread(self._thread, "store events")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all is stored."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def put(self, events: CheckedEvents, size: int) -> None:
        """Hand over events of about `size` bytes; wait while too much waits to be stored.

        Raises:
            StorageError: events cannot be stored (any more).
            ProviderError: the run has ended.
        """
        with self._condition:
            self._condition.wait_for(self._has_room)
            if self.error is not None:
                self.lost += len(events)
                raise self.error
            if self._closed:
                message = "The run has ended; nothing more of it is recorded."
                raise ProviderError(message)
            self._queue.append((events, size))
            self._events += len(events)
            self._bytes += size
            self._condition.notify_all()

    def _has_room(self) -> bool:
        fits = self._events < QUEUE_EVENTS and self._bytes < QUEUE_BYTES
        return fits or self._closed or self.error is not None

    def _record(self) -> None:
        batch = CheckedEvents()
        try:
            while True:
                batch, size = self._next_batch()
                if not batch:
                    return
                stored = persist(lambda events=batch: self._store.append_events(events), self._patience)  # type: ignore[misc]
                self._on_stored(stored)
                self._forget(len(batch), size)
        except BaseException as error:  # noqa: BLE001  whatever it is, the run must not wait for ever
            self._fail(error)

    def _next_batch(self) -> tuple[CheckedEvents, int]:
        """Wait for events, and return as many as make a batch; none when there will be no more."""
        with self._condition:
            self._condition.wait_for(lambda: self._queue or self._closed)
            batch = CheckedEvents()
            size = 0
            while self._queue and (not batch or self._fits(len(batch), size)):
                events, weight = self._queue.popleft()
                batch += events
                size += weight
            return batch, size

    def _fits(self, count: int, size: int) -> bool:
        events, weight = self._queue[0]
        return count + len(events) <= BATCH_EVENTS and size + weight <= BATCH_BYTES

    def _forget(self, count: int, size: int) -> None:
        with self._condition:
            self._events -= count
            self._bytes -= size
            self._condition.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._condition:
            self.error = error
            self.lost = self._events
            self._queue.clear()
            self._condition.notify_all()
        self._on_failure(error)


def persist(action: Callable[[], T], patience: float) -> T:
    """Return what `action` does; while the store cannot be reached repeat it, for up to `patience` seconds.

    Raises:
        StorageError: the store could not be reached for so long, or says that repeating is of no use.
    """
    deadline: float | None = None
    pause = _FIRST_PAUSE
    while True:
        try:
            return action()
        except StorageError as error:
            now = time.monotonic()
            deadline = now + patience if deadline is None else deadline
            if not error.retryable or now >= deadline:
                raise
            time.sleep(min(pause, deadline - now))
            pause = min(2 * pause, _LONGEST_PAUSE)
