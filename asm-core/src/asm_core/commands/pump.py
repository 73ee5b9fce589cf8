"""Reading of a command's output."""

from __future__ import annotations

import errno
import os
import selectors
import time
from typing import TYPE_CHECKING, Final

from asm_core.commands.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.commands.child import Child
    from asm_core.values.payloads import Payload

    HandOver = Callable[[list[Payload], int], None]

READ_BYTES: Final = 1 << 16
"""Bytes of one read: the default capacity of a pipe."""
LINGER_SECONDS: Final = 0.5
"""Seconds to read after the command has ended, while another process keeps its output open."""
LATE_BYTES: Final = 1 << 20
"""Bytes to read after that: the largest capacity of a pipe, so that all output of the command itself is read."""

_GATHER_SECONDS: Final = 0.002
_GATHER_BELOW: Final = 1 << 14
_BURST_SECONDS: Final = 0.01
"""Small chunks in close succession are read every 2 ms, many lines at a time; a single line is read at once."""
_HOLD_SECONDS: Final = 0.03
"""Seconds to wait for the rest of a line, after which its beginning is emitted: a prompt, a progress bar."""


class Pump:
    """Reads a child's output and emits its lines, until all streams are at their end.

    The beginning of a line is emitted when its rest does not follow soon, or before later output of another stream.

    A process that the command started, such as a daemon, may keep the output open after the command has ended. That
    process is not ended, and does not delay the end of the run: reading stops `LINGER_SECONDS` after the command's end,
    when all output of the command itself was read.
    """

    def __init__(self, child: Child, hand_over: HandOver) -> None:
        self._child = child
        self._hand_over = hand_over
        self._lines = {descriptor: Lines(name, whole=name != "terminal") for name, descriptor in child.streams.items()}
        self._held_since: dict[int, float] = {}
        self._selector = selectors.DefaultSelector()
        self._deadline: float | None = None
        self._late = 0

    def run(self) -> None:
        """Read to the end.

        Raises:
            StorageError: `hand_over` did.
        """
        with self._selector as selector:
            for descriptor in (*self._lines, self._child.bell):
                selector.register(descriptor, selectors.EVENT_READ)
            open_streams = set(self._lines)
            read_at = 0.0
            while open_streams and self._late <= LATE_BYTES:
                ready = {key.fd for key, _ in selector.select(self._patience())}
                if not ready and self._left() == 0:
                    break
                self._release(ready)
                # What began a line first is emitted first.
                in_order = sorted(ready, key=lambda descriptor: descriptor not in self._held_since)
                size = sum(self._read(descriptor, open_streams) for descriptor in in_order)
                now = time.monotonic()
                if 0 < size < _GATHER_BELOW and now - read_at < _BURST_SECONDS:
                    time.sleep(_GATHER_SECONDS)
                read_at = now
        for lines in self._lines.values():
            self._pass_on(lines.end(), 0)

    def counts(self) -> dict[str, int]:
        """Return the number of lines and bytes of each stream."""
        counts = {}
        for name, descriptor in self._child.streams.items():
            counts[f"{name}_lines"] = self._lines[descriptor].lines
            counts[f"{name}_bytes"] = self._lines[descriptor].bytes
        return counts

    def _left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _patience(self) -> float | None:
        """Return the time to wait for output, in seconds: to the deadline, or until held output is due."""
        due = min(self._held_since.values(), default=None)
        limits = [self._left(), None if due is None else max(0.0, due + _HOLD_SECONDS - time.monotonic())]
        return min((limit for limit in limits if limit is not None), default=None)

    def _release(self, ready: set[int]) -> None:
        """Emit held output that is due, and that of streams without new output if others have some."""
        now = time.monotonic()
        for descriptor, since in list(self._held_since.items()):
            if descriptor not in ready and (ready or now >= since + _HOLD_SECONDS):
                del self._held_since[descriptor]
                items = self._lines[descriptor].release()
                self._pass_on(items, sum(len(item["delta"]) for item in items))

    def _read(self, descriptor: int, open_streams: set[int]) -> int:
        """Read once, emit the lines, and return the number of bytes."""
        if descriptor == self._child.bell:
            self._selector.unregister(descriptor)
            self._deadline = time.monotonic() + LINGER_SECONDS
            if self._child.terminal is not None:
                self._child.terminal.release()
            return 0
        try:
            chunk = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            chunk = b""  # Linux reports the end of a terminal's output by an error
        if chunk:
            self._feed(descriptor, chunk)
        else:
            self._selector.unregister(descriptor)
            open_streams.discard(descriptor)
        if self._left() == 0:
            self._late += len(chunk)
        return len(chunk)

    def _feed(self, descriptor: int, chunk: bytes) -> None:
        lines = self._lines[descriptor]
        items = lines.feed(chunk)
        if items or not lines.is_held:
            self._held_since.pop(descriptor, None)
        if lines.is_held:
            self._held_since.setdefault(descriptor, time.monotonic())
        self._pass_on(items, len(chunk))

    def _pass_on(self, items: list[Payload], size: int) -> None:
        if items:
            self._hand_over(items, size)
