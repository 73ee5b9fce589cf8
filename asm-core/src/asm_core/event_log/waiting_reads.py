"""Reads of a session's log that wait for events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asm_core.event_log.resuming import find_after, head_of
from asm_core.event_log.steps import Pause, Steps, carry_out, waits
from asm_core.models import StoredEvent
from asm_core.querying.heads import GONE
from asm_core.querying.queries import allows_nothing

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.event_log.following import Follower
    from asm_core.event_log.waiting import Watcher
    from asm_core.models import Event
    from asm_core.querying.heads import Head
    from asm_core.querying.queries import EventQuery
    from asm_core.querying.reader import Reader


class Following(Iterator[StoredEvent]):
    """The iterator of `SessionStore.follow_events`. An error ends it, as it ends a generator.

    Attributes:
        ready: events that were read, and not yet returned.
    """

    def __init__(
        self, follower: Follower, session_id: str, idle_timeout: float | None, watcher: Callable[[], Watcher]
    ) -> None:
        """Follow a session with `follower`; end after `idle_timeout` seconds without an event (None: never)."""
        self._follower = follower
        self._session_id = session_id
        self._idle_timeout = idle_timeout
        self._watcher = watcher
        self.ready: deque[StoredEvent] = deque()
        self._idle_since: float | None = None
        self._was_waiting = False
        self._ended = False

    def __next__(self) -> StoredEvent:
        """Return the next event; wait for it."""
        if not self.ready and not self.fill():
            raise StopIteration
        return self.ready.popleft()

    @waits
    def fill(self) -> bool:
        """Wait for events, and add some hundred at most to `ready`; return False if there are none, at the end."""
        return not self._ended and carry_out(self._steps(), self._watcher)

    def close(self) -> None:
        """End the iteration; a second call is a no-op."""
        self._ended = True
        self.ready.clear()

    def _steps(self) -> Steps[bool]:
        try:
            if self._was_waiting:  # and the wait was cancelled: without this, short waits would never see an event
                self._was_waiting = False
                self._follower.see(None)
            self._idle_since = time.monotonic() if self._idle_since is None else self._idle_since
            while not (events := self._follower.read()):
                left = None if self._idle_timeout is None else self._idle_since + self._idle_timeout - time.monotonic()
                if left is not None and left <= 0:
                    self._ended = True
                    return False
                self._was_waiting = True
                head = yield Pause(self._session_id, self._follower.known, left)
                self._was_waiting = False
                self._follower.see(head)
        except GeneratorExit:
            raise  # the wait was cancelled; the next call waits again
        except BaseException:
            self._ended = True
            raise
        self._idle_since = None
        # In this step: a caller that was cancelled meanwhile gets them from its next call.
        self.ready.extend(events)
        return True


def await_events(reader: Reader, query: EventQuery, last: Event | None, timeout: float) -> Steps[list[StoredEvent]]:
    """Read the events of one session that match `query`, for which there were none a moment ago; wait for one.

    Ends with an empty list after `timeout` seconds, or when no event can match any more.

    Raises:
        SessionNotFoundError: the session does not exist, or was deleted meanwhile.
    """
    deadline = time.monotonic() + timeout
    [session_id] = query.session_ids or ()
    head: Head | None = None
    while True:
        if head is None or head == GONE:
            # The head is read first: the query after it sees every event up to that number.
            head = head_of(reader, session_id)
            if events := find_after(reader, query, last):
                return events
        left = deadline - time.monotonic()
        is_over = query.before is not None and query.before <= head.last_sequence + 1
        if left <= 0 or is_over or allows_nothing(query):
            return []
        head = yield Pause(session_id, (head,), left)
        if events := find_after(reader, query, last):
            return events
