"""Passing a command's output on, to the byte, once it is recorded."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from asm_core.commands import output_bytes
from asm_core.models import EventType

if TYPE_CHECKING:
    from types import TracebackType

    from asm_core.models import Event


class LiveOutput:
    """Writes what a command wrote to the same streams of this process, each event as it is stored.

    A write for each line would cost as much as the recording. So what was stored gathers, and a thread of its own sends
    it off as soon as it comes to its turn, which on a quiet log is at once.

    Attributes:
        last_event: the last event that was stored.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._streams: dict[Any, BinaryIO] = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
        self._current = self._streams["stdout"]
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._closed = False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._send_off, name="asm-output", daemon=True)
        self.last_event: Event | None = None

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send off what is left."""
        self._closed = True
        self._dirty.set()
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def __call__(self, event: Event) -> None:
        """Take an event that was stored.

        Raises:
            OSError: nobody reads the output any more.
        """
        self.last_event = event
        if event.type is not EventType.MESSAGE_STREAMED:
            return
        if self._error is not None:
            raise self._error
        stream = self._streams.get(event.data.get("stream"))
        if stream is None:
            return
        with self._lock:
            if stream is not self._current:
                self._current.flush()  # on a terminal both go to one place, where the order matters
                self._current = stream
            stream.write(output_bytes(event.data))
        if not self._dirty.is_set():
            self._dirty.set()

    def _send_off(self) -> None:
        try:
            closed = False
            while not closed:
                self._dirty.wait()
                self._dirty.clear()
                closed = self._closed
                with self._lock:
                    self._current.flush()
        except OSError as error:
            self._error = error
