"""Forwarding of a command's output, byte for byte, after it is recorded."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from asm_core.cli.output.screen import Screen
from asm_core.cli.output.streams import raw_streams, stream_of
from asm_core.commands import joined_output
from asm_core.concurrency.threads import begin_thread
from asm_core.models import EventType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from asm_core.models import Event
    from asm_core.values.payloads import Payload

_STREAMED: Final = EventType.MESSAGE_STREAMED  # read once: attribute access on an enum is slow

_MOST_PIECES: Final = 10_000
_MOST_CHARACTERS: Final = 16 << 20
"""Limit of pending output. At the limit, the recording waits, and with it the command."""
_PIECE: Final = 1 << 16
"""Bytes of one write. After each, the reader is known to be alive."""
_STALL: Final = 5.0
"""Seconds to wait for a reader that reads nothing, after the command was told to end."""
_BLINK: Final = 0.25


class LiveOutput:
    """Copies a command's output to the same streams of this process, each event after it is stored.

    A write for each line would cost as much as the recording. So a separate thread writes, and lines that arrive during
    a write are joined for the next one: a single line is written at once, and a flood in large parts.

    Attributes:
        last_event: the last event that was stored.
        is_stuck: whether output was discarded because no reader took it while the command ended.
    """

    def __init__(self) -> None:
        self._streams = raw_streams()
        self._screen = Screen() if sys.stdout.isatty() else None
        self._waiting: deque[Payload] = deque()
        # Each is written by one thread only and needs no lock.
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
        """Wait until all output is written; reset modes of a terminal that the command left set."""
        self._closed = True
        self._awake.set()
        while self._thread.is_alive() and not self._gives_up():
            self._thread.join(_BLINK)
        if error is None and self._error is not None:
            raise self._error
        if self._screen is not None and self._error is None and not self.is_stuck:
            self._streams["stdout"].write(self._screen.undo())

    def __call__(self, event: Event) -> None:
        """Accept a stored event; block while the pending output is at its limit.

        Raises:
            OSError: the reader closed the output.
        """
        self.many([event])

    def many(self, events: Sequence[Event]) -> None:
        """Accept events that were stored together; waking the writer once for all of them saves most of the cost.

        Raises:
            OSError: the reader closed the output.
        """
        self.last_event = events[-1]
        if self.is_stuck:
            return
        pieces = [event.data for event in events if event.type is _STREAMED]
        self._waiting.extend(pieces)
        self._taken += sum(len(piece["delta"]) for piece in pieces)
        self._awake.set()
        while self._is_full() and not self._gives_up():
            self._progress.clear()
            if self._is_full():
                self._progress.wait(_BLINK)
        if self._error is not None:
            raise self._error

    def hurry(self) -> None:
        """Stop waiting for a reader that does not read, so that the end of the command can be recorded."""
        self._hurried_at = self._hurried_at or time.monotonic()

    def _gives_up(self) -> bool:
        if self._hurried_at is not None:
            waited_since = max(self._hurried_at, self._moved_at)
            self.is_stuck = self.is_stuck or time.monotonic() - waited_since > _STALL
        return self.is_stuck

    def _is_full(self) -> bool:
        full = len(self._waiting) > _MOST_PIECES or self._taken - self._written > _MOST_CHARACTERS
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

    def _write(self, pieces: list[Payload]) -> None:
        for name, group in itertools.groupby(pieces, stream_of):
            stream, part = self._streams[name], list(group)
            output = joined_output(part)
            if self._screen is not None and name == "stdout":
                self._screen.follow(output)
            text = memoryview(output)
            for start in range(0, len(text), _PIECE):
                stream.write(text[start : start + _PIECE])
                self._moved_at = time.monotonic()
            self._written += sum(len(piece["delta"]) for piece in part)
            self._progress.set()
