"""Conversion of output to events and back, without loss of a byte."""

from __future__ import annotations

import contextlib
from base64 import b64decode, b64encode
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asm_core.values.payloads import Payload

_delta: Final = itemgetter("delta")

_LEADS: Final = {**dict.fromkeys(range(0xC2, 0xE0), 2), **dict.fromkeys(range(0xE0, 0xF0), 3)} | dict.fromkeys(
    range(0xF0, 0xF5), 4
)
"""The length of a character in UTF-8, by its first byte."""
_CONTINUES: Final = 0x80
"""The two highest bits of a continuation byte in UTF-8."""

PART_BYTES: Final = 1 << 18
"""The largest part of a line in bytes. Longer lines are recorded in parts, so that memory is bounded."""


class Lines:
    r"""Converts the bytes of one stream to the data of events, without cutting characters.

    The data are ``{"stream": ..., "delta": ...}``. A delta is a line with its newline, the beginning of a line that was
    released before its end or that is longer than `PART_BYTES`, or its rest. If the bytes are not UTF-8, the data also
    have them as ``"base64"``. With ``whole=False``, output is not held until its line ends, as a terminal shows it.

    >>> Lines("stdout").feed(b"one\ntwo\nthr")
    [{'stream': 'stdout', 'delta': 'one\n'}, {'stream': 'stdout', 'delta': 'two\n'}]

    Attributes:
        bytes: the number of bytes so far.
    """

    def __init__(self, stream: str, *, whole: bool = True) -> None:
        self._stream = stream
        self._whole = whole
        self._held = b""
        self._newlines = 0
        self._is_in_line = False
        self.bytes = 0

    @property
    def lines(self) -> int:
        """The number of lines so far, with the one that has not ended."""
        return self._newlines + self._is_in_line

    @property
    def is_held(self) -> bool:
        """Whether `release` would return something."""
        return len(self._held) > _incomplete(self._held)

    def feed(self, chunk: bytes) -> list[Payload]:
        """Return the lines that end in `chunk`, and keep the rest until its line ends.

        A chunk must not be empty or longer than a part.
        """
        self.bytes += len(chunk)
        self._newlines += chunk.count(b"\n")
        self._is_in_line = not chunk.endswith(b"\n")
        self._held += chunk
        if not self._whole:
            return self.release()
        items = []
        while _first_line(self._held) > PART_BYTES:
            items.append(self._take(PART_BYTES - _incomplete(self._held[:PART_BYTES])))
        end = self._held.rfind(b"\n")
        if end < 0:
            return items
        block, self._held = self._held[:end], self._held[end + 1 :]
        return [*items, *self._split(block)]

    def release(self) -> list[Payload]:
        """Return what is held of a line, except a character that is incomplete so far."""
        return [self._take(len(self._held) - _incomplete(self._held))] if self.is_held else []

    def end(self) -> list[Payload]:
        """Return the rest, at the end of the stream."""
        return [self._take(len(self._held))] if self._held else []

    def _take(self, size: int) -> Payload:
        taken, self._held = self._held[:size], self._held[size:]
        return self._data(taken)

    def _split(self, block: bytes) -> list[Payload]:
        """Return the lines of a block without its last newline."""
        try:
            # All lines at once: a tenth of the time of decoding each line.
            texts = block.decode().split("\n")
        except UnicodeDecodeError:
            return [self._data(line + b"\n") for line in block.split(b"\n")]
        stream = self._stream
        return [{"stream": stream, "delta": f"{text}\n"} for text in texts]

    def _data(self, raw: bytes) -> Payload:
        try:
            return {"stream": self._stream, "delta": raw.decode()}
        except UnicodeDecodeError:
            lossy, encoded = raw.decode(errors="replace"), b64encode(raw).decode()
            return {"stream": self._stream, "delta": lossy, "base64": encoded}


def joined_output(items: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the bytes of several recorded pieces of output."""
    if not any("base64" in data for data in items):
        return "".join(map(_delta, items)).encode()
    return b"".join(map(output_bytes, items))


def output_bytes(data: Mapping[str, Any]) -> bytes:
    r"""Return the bytes of a recorded piece of output; the inverse of `Lines`.

    >>> output_bytes({"stream": "stdout", "delta": "one\n"})
    b'one\n'
    """
    encoded = data.get("base64")
    if encoded is not None:
        with contextlib.suppress(TypeError, ValueError):  # an event that another program wrote
            return b64decode(encoded, validate=True)
    return _delta(data).encode()  # type: ignore[no-any-return]


def _first_line(held: bytes) -> int:
    """Return the length of the first line so far."""
    end = held.find(b"\n")
    return len(held) if end < 0 else end


def _incomplete(held: bytes) -> int:
    """Return the number of bytes at the end that begin a character and do not complete it."""
    for count in range(1, min(3, len(held)) + 1):
        byte = held[-count]
        if byte & 0xC0 != _CONTINUES:
            return count if _LEADS.get(byte, 0) > count else 0
    return 0
