"""Standard output and error that take all they are given."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import time
from typing import Any, TextIO

_BLINK = 0.01


class WholeWriter(io.FileIO):
    """A file descriptor that is written to the last byte, also if it does not block.

    Whether it blocks is a property that all processes which share the pipe or terminal share, so it is left as it is.
    Python's own writers lose what such a descriptor does not take at once.
    """

    def write(self, data: Any, /) -> int:
        """Write all of `data`, waiting for the reader where the descriptor does not block."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[os.write(self.fileno(), left) :]
            except BlockingIOError:
                self._wait()
        return size

    def can_be_written(self) -> bool:
        """Return whether a few bytes can be written at once."""
        with contextlib.suppress(OSError, ValueError):
            return bool(select.select([], [self], [], 0)[1])
        return True

    def _wait(self) -> None:
        try:
            select.select([], [self], [])
        except (OSError, ValueError):  # a system that waits for sockets only
            time.sleep(_BLINK)


def be_whole() -> None:
    """Let nothing that is printed be lost because standard output or error does not block."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _whole(stream))


def _whole(stream: io.TextIOWrapper) -> TextIO:
    stream.flush()
    raw = WholeWriter(stream.fileno(), "wb", closefd=False)
    unbuffered = stream.write_through  # then Python's own, too, has no buffer between text and descriptor
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        newline=None if os.name == "nt" else "\n",
        line_buffering=stream.line_buffering,
        write_through=unbuffered,
    )
