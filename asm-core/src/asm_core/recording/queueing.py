"""The order of runs: how many a manager executes at once, and one at a time for a session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.forking import renew_in_child
from asm_core.concurrency.places import FairPlaces
from asm_core.errors import BusyError
from asm_core.recording.abandoned import close_abandoned_run
from asm_core.recording.lifecycle.claims import busy
from asm_core.recording.lifecycle.outcomes import RUN_ENDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.concurrency.places import Place
    from asm_core.ports import SessionStore

_CHECK_SECONDS: Final = 1.0
"""Seconds after which a waiter checks whether the process that executes the run before has ended."""


class _SessionPlaces(FairPlaces):
    """The place of a session, while a thread has it or waits for it."""

    __slots__ = ("__weakref__",)


class RunQueue:
    """Gives each run of a manager its turn."""

    def __init__(self, session_store: SessionStore, max_runs: int | None, timeout: float) -> None:
        """Allow `max_runs` runs at once; None: any number. A run waits up to `timeout` seconds for its turn."""
        self._store = session_store
        self._max_runs = max_runs
        self._timeout = timeout
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """Begin with free places: what took those of the parent is not in the child."""
        self._all = None if self._max_runs is None else FairPlaces(self._max_runs)
        self._sessions: WeakValueDictionary[str, _SessionPlaces] = WeakValueDictionary()

    @contextmanager
    def turn(self, session_id: str | None) -> Iterator[float]:
        """Take the place of a session, unless it is None, and one of the manager; yield the deadline to wait until.

        Raises:
            BusyError: no place became free in time.
        """
        deadline = time.monotonic() + self._timeout
        of_session: list[Place] = []
        of_all: list[Place] = []
        session = None if session_id is None else self._sessions.setdefault(session_id, _SessionPlaces(1))
        try:
            if session is not None and session_id is not None and not session.take(of_session, self._timeout):
                raise self._busy(session_id)
            if self._all is not None and not self._all.take(of_all, max(0.0, deadline - time.monotonic())):
                message = f"The manager executes {self._max_runs} runs already, its limit max_runs. Try again later."
                raise BusyError(message, details={"max_runs": self._max_runs})
            yield deadline
        finally:
            for places, taken in ((self._all, of_all), (session, of_session)):
                if places is not None and taken:
                    places.give_back(taken.pop())
                    places.ring()

    def wait_for_end(self, error: BusyError, session_id: str, after: int, deadline: float) -> None:
        """Wait until a run of the session ends, in this process or another one.

        A run whose process has ended is closed.

        Raises:
            BusyError: `error`, at the deadline.
        """
        if close_abandoned_run(self._store, error.details["run_id"]):
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise error
        kinds, wait = list(RUN_ENDS.values()), min(left, _CHECK_SECONDS)
        self._store.get_events(session_id, type=kinds, after=after, limit=1, wait_timeout=wait)

    def _busy(self, session_id: str) -> BusyError:
        active = self._store.get_active_run(session_id)
        return busy(session_id, None if active is None else active.id)
