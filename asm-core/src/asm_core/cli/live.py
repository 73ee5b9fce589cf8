"""Passing a command's output on, to the byte, once it is recorded."""

from __future__ import annotations

import itertools
import sys
import threading
from collections import deque
from operator import itemgetter
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from asm_core.commands import joined_output
from asm_core.models import EventType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from asm_core.models import Event
    from asm_core.payloads import Payload

_STREAMED: Final = EventType.MESSAGE_STREAMED  # looked up once: an enum's attributes are slow to find

_MOST_LINES: Final = 10_000
_MOST_CHARACTERS: Final = 16 << 20
"""What may wait to be written; then the recording waits, and so does the command."""


class LiveOutput:
    """Writes what a command wrote to the same streams of this process, each event as it is stored.

    A write for each line would cost as much as the recording. So lines gather while those before them are written, by a
    thread of its own: a quiet line is written at once, and a flood in large pieces.

    Attributes:
        last_event: the last event that was stored.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._streams: dict[Any, BinaryIO] = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
        self._waiting: deque[Payload] = deque()
        # Each is written by one thread only, so that no lock has to guard it.
        self._taken = self._written = 0
        self._awake = threading.Event()
        self._progress = threading.Event()
        self._closed = False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._write_all, name="asm-output", daemon=True)
        self.last_event: Event | None = None

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all is written."""
        self._closed = True
        self._awake.set()
        self._thread.join()
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
        lines = [event.data for event in events if event.type is _STREAMED]
        self._waiting.extend(lines)
        self._taken += sum(len(line["text"]) for line in lines)
        self._awake.set()
        while self._is_full():
            self._progress.clear()
            if self._is_full():
                self._progress.wait()
        if self._error is not None:
            raise self._error

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
            stream.write(joined_output(part))
            stream.flush()
            self._written += sum(len(line["text"]) for line in part)
            self._progress.set()
