"""Passing a command's output on, to the byte, once it is recorded."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import deque
from operator import itemgetter
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from asm_core.commands import joined_output
from asm_core.concurrency.threads import begin_thread
from asm_core.models import EventType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import RawIOBase
    from types import TracebackType

    from asm_core.models import Event
    from asm_core.values.payloads import Payload

_STREAMED: Final = EventType.MESSAGE_STREAMED  # looked up once: an enum's attributes are slow to find

_MOST_LINES: Final = 10_000
_MOST_CHARACTERS: Final = 16 << 20
"""What may wait to be written; then the recording waits, and so does the command."""
_PIECE: Final = 1 << 16
"""Bytes written at once, after which it is seen that the reader still reads."""
_STALL: Final = 5.0
"""Seconds to wait for a reader that takes nothing, once the command was asked to end."""
_BLINK: Final = 0.25


class LiveOutput:
    """Writes what a command wrote to the same streams of this process, each event as it is stored.

    A write for each line would cost as much as the recording. So lines gather while those before them are written, by a
    thread of its own: a quiet line is written at once, and a flood in large pieces.

    Attributes:
        last_event: the last event that was stored.
        is_stuck: whether output was given up, as nothing read it while the command was ended.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._streams = {"stdout": _raw(sys.stdout), "stderr": _raw(sys.stderr)}
        self._waiting: deque[Payload] = deque()
        # Each is written by one thread only, so that no lock has to guard it.
        self._taken = self._written = 0
        self._moved_at = 0.0
        self._hurried_at: float | None = None
        self._awake = threading.Event()
        self._progress = threading.Event()
        self._closed = False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._write_all, name="asm-output", daemon=True)
        self.last_event: Event | None = None
        self.is_stuck = False

    def __enter__(self) -> Self:
        """Start the thread."""
        begin_thread(self._thread, "write the output")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all is written."""
        self._closed = True
        self._awake.set()
        while self._thread.is_alive() and not self._gives_up():
            self._thread.join(_BLINK)
        if error is None and self._error is not None:
            raise self._error

    def __call__(self, event: Event) -> None:
        """Take an event that was stored; wait while too much waits to be written.

        Raises:
            OSError: nobody reads the output any more.
        """
        self.many([event])

    def many(self, events: Sequence[Event]) -> None:
        """Take events that were stored together: waking the writer once for all of them spares most of the cost.

        Raises:
            OSError: nobody reads the output any more.
        """
        self.last_event = events[-1]
        if self.is_stuck:
            return
        lines = [event.data for event in events if event.type is _STREAMED]
        self._waiting.extend(lines)
        self._taken += sum(len(line["text"]) for line in lines)
        self._awake.set()
        while self._is_full() and not self._gives_up():
            self._progress.clear()
            if self._is_full():
                self._progress.wait(_BLINK)
        if self._error is not None:
            raise self._error

    def hurry(self) -> None:
        """Wait no longer for a reader that does not read: the end of the command is to be recorded."""
        self._hurried_at = self._hurried_at or time.monotonic()

    def _gives_up(self) -> bool:
        if self._hurried_at is not None:
            waited_since = max(self._hurried_at, self._moved_at)
            self.is_stuck = self.is_stuck or time.monotonic() - waited_since > _STALL
        return self.is_stuck

    def _is_full(self) -> bool:
        full = len(self._waiting) > _MOST_LINES or self._taken - self._written > _MOST_CHARACTERS
        return full and self._error is None

    def _write_all(self) -> None:
        try:
            closed = False
            while not closed:
                self._awake.wait()
                self._awake.clear()
                closed = self._closed
                self._write([self._waiting.popleft() for _ in range(len(self._waiting))])
        except OSError as error:
            self._error = error
            self._progress.set()

    def _write(self, lines: list[Payload]) -> None:
        for name, group in itertools.groupby(lines, itemgetter("stream")):
            stream, part = self._streams[name], list(group)
            text = memoryview(joined_output(part))
            for start in range(0, len(text), _PIECE):
                stream.write(text[start : start + _PIECE])
                self._moved_at = time.monotonic()
            self._written += sum(len(line["text"]) for line in part)
            self._progress.set()


def _raw(stream: Any) -> RawIOBase | BinaryIO:
    """Return what is below the buffer: a write that waits then holds no lock that the end of the program needs."""
    return getattr(stream.buffer, "raw", stream.buffer)  # type: ignore[no-any-return]
