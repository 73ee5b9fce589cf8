"""The events of a run under way."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from asm_core.concurrency.threads import begin_thread
from asm_core.errors import AsmError, ProviderError

if TYPE_CHECKING:
    from types import TracebackType

    from asm_core.models import Event, StoredEvent
    from asm_core.recording.execution.results import RunResult

    Execute = Callable[..., RunResult]

_AHEAD: Final = 1024
"""Events that are stored and not yet consumed, before the run waits for the consumer."""


class _Channel:
    """Passes events from the thread of the run to the consumer."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._run_id: str | None = None
        self.is_closed = False
        self.has_ended = False
        self.result: RunResult | None = None
        self.error: BaseException | None = None

    def work(self, execute: Execute, cancel: Callable[[str], None]) -> None:
        """Execute the run, and pass its events on."""

        def on_event(event: Event) -> None:
            with self._changed:
                self._run_id = event.run_id
                self._events.append(event)
                self._changed.notify_all()
                self._changed.wait_for(lambda: len(self._events) < _AHEAD or self.is_closed)
                is_closed = self.is_closed
            if is_closed and event.run_id is not None:
                with suppress(AsmError):  # it has ended
                    cancel(event.run_id)

        try:
            self.result = execute(on_event=on_event)
        except BaseException as error:  # noqa: BLE001  raised in the consumer's thread
            self.error = error
        finally:
            with self._changed:
                self.has_ended = True
                self._changed.notify_all()

    def next(self) -> Event | None:
        """Wait for the next event; return None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self.has_ended)
            event = self._events.popleft() if self._events else None
            self._changed.notify_all()
            return event

    def close(self) -> str | None:
        """Let the run go on without the consumer; return its id, if it has begun and not ended."""
        with self._changed:
            self.is_closed = True
            self._events.clear()
            self._changed.notify_all()
            return None if self.has_ended else self._run_id


class RunStream(Iterator["StoredEvent"]):
    """The events of a run under way, as they are stored.

    The iterator ends with the run, and raises its error. A context manager: at its end, or once nothing refers to it, a
    run that has not ended is cancelled. It is for one thread.
    """

    def __init__(self, execute: Execute, cancel: Callable[[str], None]) -> None:
        """Call `execute` with a callback for events, in a new thread.

        Raises:
            StorageConnectionError: the system has reached its limit of threads.
        """
        self._cancel = cancel
        self._channel = channel = _Channel()
        run = contextvars.copy_context().run
        # The thread refers to the channel only, so that a stream without references ends.
        self._thread = threading.Thread(target=run, args=(channel.work, execute, cancel), name="asm-stream")
        begin_thread(self._thread, "stream a run")

    @property
    def result(self) -> RunResult:
        """The result of the run, once the iterator has ended.

        Raises:
            ProviderError: the run has not ended.
            BaseException: the error of the run.
        """
        if self._channel.error is not None:
            raise self._channel.error
        if self._channel.result is None:
            message = "The run has not ended. Consume its events first."
            raise ProviderError(message)
        return self._channel.result

    def __iter__(self) -> Self:
        """Return the iterator."""
        return self

    def __next__(self) -> StoredEvent:
        """Wait for the next event, and return it.

        Raises:
            ProviderError: the run failed, as by `SessionManager.run`.
        """
        event = self._channel.next()
        if event is not None:
            return event  # type: ignore[return-value]
        if self._channel.error is not None and not self._channel.is_closed:
            raise self._channel.error
        raise StopIteration

    def close(self) -> None:
        """Cancel the run, if it has not ended, and wait until its end is stored."""
        self._abandon()
        self._thread.join()

    def _abandon(self) -> None:
        run_id = self._channel.close()
        if run_id is not None:
            with suppress(AsmError):  # it has ended
                self._cancel(run_id)

    def __enter__(self) -> Self:
        """Return the stream."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the stream."""
        self.close()

    def __del__(self) -> None:
        """Cancel the run, without waiting for its end."""
        if hasattr(self, "_channel"):
            self._abandon()
