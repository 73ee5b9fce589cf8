"""Storage of events in the background."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar

from asm_core.concurrency.threads import begin_thread
from asm_core.errors import ProviderError, StorageError
from asm_core.event_log.batches import CheckedEvents

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from asm_core.models import StoredEvent
    from asm_core.ports import SessionStore

T = TypeVar("T")

BATCH_EVENTS: Final = 4_096
BATCH_BYTES: Final = 8 << 20
"""The largest batch. Larger batches save little more, and block other writers for longer."""

QUEUE_EVENTS: Final = 16_384
QUEUE_BYTES: Final = 16 << 20
"""The limit of pending events. At the limit, the provider blocks."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class Recorder:
    """Appends events in the order of their arrival, in a separate thread.

    Events that arrive while a batch is written form the next one: a single event is stored at once, and a flood in
    large batches. Stored events are not kept. A context manager: at its end all events are stored, or `error` is set.

    Attributes:
        error: the reason why events could not be stored.
        lost: the largest number of events that were not stored. The last batch counts in full, because its commit is
            uncertain after a lost connection.
    """

    def __init__(
        self,
        session_store: SessionStore,
        *,
        patience: float,
        on_stored: Callable[[list[StoredEvent]], None],
        on_failure: Callable[[BaseException], None],
        prepare: Callable[[CheckedEvents], CheckedEvents] = lambda events: events,
    ) -> None:
        """Record into `session_store`.

        Args:
            session_store: the store to record into.
            patience: seconds of retries while the store cannot be reached.
            on_stored: called with the events of each stored batch, in the recorder's thread.
            on_failure: called when events cannot be stored, in the recorder's thread.
            prepare: returns a batch as it is stored; its errors count as those of the store.
        """
        self._store = session_store
        self._patience = patience
        self._on_stored = on_stored
        self._on_failure = on_failure
        self._prepare = prepare
        self._condition = threading.Condition()
        self._queue: deque[tuple[CheckedEvents, int]] = deque()
        self._events = 0
        self._bytes = 0
        self._closed = False
        self.error: BaseException | None = None
        self.lost = 0
        self._thread = threading.Thread(target=copy_context().run, args=(self._record,), name="asm-recorder")

    def __enter__(self) -> Self:
        """Start the thread.

        Raises:
            StorageConnectionError: the system has reached its limit of threads.
        """
        begin_thread(self._thread, "store events")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all events are stored."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def put(self, events: CheckedEvents, size: int, *, waits: bool = True) -> None:
        """Queue events of about `size` bytes; block while the queue is full, if `waits` is set.

        Raises:
            StorageError: events cannot be stored.
            ProviderError: the run has ended.
        """
        with self._condition:
            if waits:
                self._condition.wait_for(self.has_room)
            if self.error is not None:
                self.lost += len(events)
                raise self.error
            if self._closed:
                message = "The run has ended. Further events are not recorded."
                raise ProviderError(message)
            self._queue.append((events, size))
            self._events += len(events)
            self._bytes += size
            self._condition.notify_all()

    def wait_for_room(self) -> None:
        """Wait until `put` would not block."""
        with self._condition:
            self._condition.wait_for(self.has_room)

    def settle(self) -> None:
        """Wait until all queued events are stored.

        Raises:
            StorageError: events cannot be stored.
        """
        with self._condition:
            self._condition.wait_for(lambda: not self._events or self.error is not None)
            if self.error is not None:
                raise self.error

    def has_room(self) -> bool:
        """Return whether `put` would not block."""
        fits = self._events < QUEUE_EVENTS and self._bytes < QUEUE_BYTES
        return fits or self._closed or self.error is not None

    def _record(self) -> None:
        batch = CheckedEvents()
        try:
            while True:
                batch, size = self._next_batch()
                if not batch:
                    return
                ready = persist(partial(self._prepare, batch), self._patience)
                stored = persist(partial(self._store.append_events, ready), self._patience)
                self._on_stored(stored)
                self._forget(len(batch), size)
        except BaseException as error:  # noqa: BLE001  the run must not wait forever after any error
            self._fail(error)

    def _next_batch(self) -> tuple[CheckedEvents, int]:
        """Wait for events, and return the next batch; an empty one at the end."""
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
    """Call `action` and return its result; retry it for up to `patience` seconds while the store cannot be reached.

    Raises:
        StorageError: the store could not be reached in that time, or the error is not retryable.
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
