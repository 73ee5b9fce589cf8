"""Reading of a command's output."""

from __future__ import annotations

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


class Pump:
    """Reads a child's output and emits its lines, until both streams are at their end.

    A process that the command started, such as a daemon, may keep the output open after the command has ended. That
    process is not ended, and does not delay the end of the run: reading stops `LINGER_SECONDS` after the command's end,
    when all output of the command itself was read.
    """

    def __init__(self, child: Child, hand_over: HandOver) -> None:
        self._child = child
        self._hand_over = hand_over
        self._lines = {descriptor: Lines(name) for name, descriptor in child.streams.items()}
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
                left = self._left()
                ready = [key.fd for key, _ in selector.select(left)]
                if not ready and left is not None:
                    break
                size = sum(self._read(descriptor, open_streams) for descriptor in ready)
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

    def _read(self, descriptor: int, open_streams: set[int]) -> int:
        """Read once, emit the lines, and return the number of bytes."""
        if descriptor == self._child.bell:
            self._selector.unregister(descriptor)
            self._deadline = time.monotonic() + LINGER_SECONDS
            return 0
        try:
            chunk = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return 0
        if chunk:
            self._pass_on(self._lines[descriptor].feed(chunk), len(chunk))
        else:
            self._selector.unregister(descriptor)
            open_streams.discard(descriptor)
        if self._left() == 0:
            self._late += len(chunk)
        return len(chunk)

    def _pass_on(self, items: list[Payload], size: int) -> None:
        if items:
            self._hand_over(items, size)
