"""Output as lines, and back: what is recorded gives the output back to the byte."""

from __future__ import annotations

from base64 import b64decode, b64encode
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asm_core.values.payloads import Payload

_PLAIN_FIELDS: Final = 2
"""A line with no more than ``stream`` and ``text`` is whole, and all there is to it is its text."""

_text: Final = itemgetter("text")

_CONTINUES: Final = 0x80
"""The two highest bits of a byte of UTF-8 that goes on with a character."""

PART_BYTES: Final = 1 << 18
"""A longer line is recorded in parts of at most so many bytes, so that a line of any length takes bounded memory."""


class Lines:
    r"""Turns what one stream brings into the data of events, a line each.

    ``{"stream": "stdout" | "stderr", "text": ...}``, with ``"partial": true`` where no newline follows (a part of a
    line longer than `PART_BYTES`, or the last line), and with the bytes as ``"base64"`` where they are no valid UTF-8.

    >>> Lines("stdout").feed(b"one\ntwo\nthr")
    [{'stream': 'stdout', 'text': 'one'}, {'stream': 'stdout', 'text': 'two'}]
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._held = b""
        self.bytes = 0
        self.lines = 0

    def feed(self, chunk: bytes) -> list[Payload]:
        """Return the lines that end in `chunk`; what follows them is held back until its end comes.

        A chunk is at most as long as a part.
        """
        self.bytes += len(chunk)
        held = self._held + chunk
        items = []
        while _first_line(held) > PART_BYTES:
            cut = _between_characters(held, PART_BYTES)
            items.append(self._data(held[:cut], partial=True))
            held = held[cut:]
        end = held.rfind(b"\n")
        self._held = held[end + 1 :]
        return items if end < 0 else [*items, *self._whole(held[:end])]

    def end(self) -> list[Payload]:
        """Return the last line, if the stream did not end with a newline."""
        held, self._held = self._held, b""
        if not held:
            return []
        self.lines += 1
        return [self._data(held, partial=True)]

    def _whole(self, block: bytes) -> list[Payload]:
        try:
            # All lines at once: a line takes a tenth of the time that decoding each would.
            texts = block.decode().split("\n")
        except UnicodeDecodeError:
            lines = block.split(b"\n")
            self.lines += len(lines)
            return [self._data(line) for line in lines]
        self.lines += len(texts)
        stream = self._stream
        return [{"stream": stream, "text": text} for text in texts]

    def _data(self, raw: bytes, *, partial: bool = False) -> Payload:
        data: Payload = {"stream": self._stream}
        try:
            data["text"] = raw.decode()
        except UnicodeDecodeError:
            data["text"] = raw.decode(errors="replace")
            data["base64"] = b64encode(raw).decode()
        if partial:
            data["partial"] = True
        return data


def joined_output(lines: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the bytes that several recorded lines were made of."""
    if max(map(len, lines), default=0) <= _PLAIN_FIELDS:
        return "\n".join([*map(_text, lines), ""]).encode()
    return b"".join(map(output_bytes, lines))


def output_bytes(data: Mapping[str, Any]) -> bytes:
    r"""Return the bytes that a recorded line was made of, its newline included; the inverse of `Lines`.

    >>> output_bytes({"stream": "stdout", "text": "one"})
    b'one\n'
    """
    encoded = data.get("base64")
    raw = data["text"].encode() if encoded is None else b64decode(encoded)
    return raw if data.get("partial") else raw + b"\n"


def _first_line(held: bytes) -> int:
    """Return how long the first line is so far."""
    end = held.find(b"\n")
    return len(held) if end < 0 else end


def _between_characters(held: bytes, cut: int) -> int:
    """Return the last place up to `cut` that is not inside a character, or `cut` if this is no UTF-8."""
    for place in range(cut, cut - 4, -1):
        if held[place] & 0xC0 != _CONTINUES:
            return place
    return cut
