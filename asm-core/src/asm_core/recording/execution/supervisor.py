"""Supervision of the runs of a manager."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from asm_core import logs
from asm_core.concurrency.forking import renew_in_child
from asm_core.concurrency.threads import begin_thread
from asm_core.errors import AsmError
from asm_core.models import TERMINAL_RUN_STATUSES
from asm_core.recording.lifecycle.claims import CANCEL_REQUESTED
from asm_core.recording.lifecycle.leases import SHARE, leased
from asm_core.recording.lifecycle.outcomes import cancelled

if TYPE_CHECKING:
    from asm_core.models import Run
    from asm_core.ports import SessionStore
    from asm_core.recording.lifecycle.outcomes import Outcome

_INTERVAL: Final = 0.05


class Supervised:
    """An execution as its supervisor needs it.

    Attributes:
        run: the run.
        seen: the number of the last event of its session that was checked.
        renewed_at: when its lease was renewed, on the monotonic clock.
    """

    run: Run
    seen: int
    renewed_at: float

    def stop(self, outcome: Outcome) -> None:
        """End the run with this outcome."""
        raise NotImplementedError


class Supervisor:
    """Finds requests of other processes to cancel the runs of a manager, and renews their leases.

    One thread for all runs, while there are any. Each check is one query; the log of a session is read only if it has
    grown.
    """

    def __init__(self, session_store: SessionStore, executions: dict[str, Any], lease: float) -> None:
        """Supervise `executions`, instances of `Supervised` by run."""
        self._store = session_store
        self._executions = executions
        self._lease = lease
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """Begin without a thread and executions: those of the parent are not in the child."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._executions.clear()

    def begin(self) -> None:
        """Start the thread, unless it runs. Called after an execution was added.

        Raises:
            StorageConnectionError: the system has reached its limit of threads.
        """
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._supervise, name="asm-supervisor")
                begin_thread(thread, "supervise runs")
                self._thread = thread

    def end(self) -> None:
        """End the thread, if there are no executions. Called after one was removed."""
        if not self._executions:
            with self._changed:
                self._changed.notify_all()

    def _supervise(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._executions, _INTERVAL)
                if not self._executions:
                    self._thread = None
                    return
            executions = list(self._executions.values())
            with suppress(AsmError):  # the store cannot be reached: the recorder waits for it, and this tries again
                self._find_requests(executions)
            for execution in executions:
                self._renew(execution)

    def _find_requests(self, executions: list[Supervised]) -> None:
        heads = self._store.reader.load_heads({execution.run.session_id for execution in executions})
        for execution in executions:
            run, head = execution.run, heads.get(execution.run.session_id)
            if head is None or head.last_sequence <= execution.seen:
                continue
            found = self._store.get_events(
                run.session_id, run_id=run.id, type=CANCEL_REQUESTED, after=execution.seen, limit=1
            )
            execution.seen = head.last_sequence
            if found:
                logs.info("recording", "cancellation requested", run=run.id, session=run.session_id)
                execution.stop(cancelled("The run was cancelled by another process or manager."))

    def _renew(self, execution: Supervised) -> None:
        now = time.monotonic()
        if now - execution.renewed_at < self._lease * SHARE:
            return
        with suppress(AsmError):
            self._store.update_run(execution.run.id, self._renewed)
            execution.renewed_at = now

    def _renewed(self, run: Run) -> Run:
        return run if run.status in TERMINAL_RUN_STATUSES else leased(run, self._lease)
