"""Standard output and error without lost bytes on non-blocking descriptors."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLINK = 0.01


class WholeWriter(io.FileIO):
    """A raw stream that writes all bytes, also to a non-blocking descriptor.

    All processes that share a pipe or terminal share its blocking mode, so the mode is not changed. Python's own
    writers lose what such a descriptor does not accept at once.
    """

    def write(self, data: Any, /) -> int:
        """Write all of `data`; wait for the reader if the descriptor is non-blocking and full."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[os.write(self.fileno(), left) :]
            except BlockingIOError:
                self._wait()
        return size

    def can_be_written(self) -> bool:
        """Return whether a few bytes can be written without waiting."""
        with contextlib.suppress(OSError, ValueError):
            return bool(select.select([], [self], [], 0)[1])
        return True

    def _wait(self) -> None:
        try:
            select.select([], [self], [])
        except (OSError, ValueError):  # Windows: select() accepts sockets only
            time.sleep(_BLINK)


def raw_streams() -> dict[str, BinaryIO]:
    """Return standard output and error as raw streams, for bytes that are written as they are.

    A blocked write to a raw stream holds no lock that the interpreter needs to exit.
    """
    found = {"stdout": sys.stdout, "stderr": sys.stderr}
    for stream in found.values():
        stream.flush()
    return {name: _raw(stream) for name, stream in found.items()}


def stream_of(data: Mapping[str, Any]) -> str:
    """Return the name of the stream for a recorded piece of output: `stderr` or, for all others, `stdout`."""
    return "stderr" if data.get("stream") == "stderr" else "stdout"


def _raw(stream: Any) -> BinaryIO:
    return getattr(stream.buffer, "raw", stream.buffer)  # type: ignore[no-any-return]


def be_whole() -> None:
    """Replace standard output and error by streams that write everything to non-blocking descriptors."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _whole(stream))


def _whole(stream: io.TextIOWrapper) -> TextIO:
    stream.flush()
    raw = WholeWriter(stream.fileno(), "wb", closefd=False)
    unbuffered = stream.write_through  # then Python's own stream has no buffer either
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        newline=None if os.name == "nt" else "\n",
        line_buffering=stream.line_buffering,
        write_through=unbuffered,
    )
