"""Conversion of output to lines and back, without loss of a byte."""

from __future__ import annotations

from base64 import b64decode, b64encode
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asm_core.values.payloads import Payload

_PLAIN_FIELDS: Final = 2
"""The keys of a complete line, which is fully described by its text."""

_text: Final = itemgetter("text")

_CONTINUES: Final = 0x80
"""The two highest bits of a continuation byte in UTF-8."""

PART_BYTES: Final = 1 << 18
"""The largest part of a line in bytes. Longer lines are recorded in parts, so that memory is bounded."""


class Lines:
    r"""Converts the bytes of one stream to the data of events, one line each.

    The data are ``{"stream": "stdout" | "stderr", "text": ...}``; with ``"partial": true`` if no newline follows (part
    of a line longer than `PART_BYTES`, or the last line); and with the bytes as ``"base64"`` if they are not UTF-8.

    >>> Lines("stdout").feed(b"one\ntwo\nthr")
    [{'stream': 'stdout', 'text': 'one'}, {'stream': 'stdout', 'text': 'two'}]
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._held = b""
        self.bytes = 0
        self.lines = 0

    def feed(self, chunk: bytes) -> list[Payload]:
        """Return the lines that end in `chunk`, and keep the rest until its line ends.

        A chunk must not be longer than a part.
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
            # All lines at once: a tenth of the time of decoding each line.
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
    """Return the bytes of several recorded lines."""
    if max(map(len, lines), default=0) <= _PLAIN_FIELDS:
        return "\n".join([*map(_text, lines), ""]).encode()
    return b"".join(map(output_bytes, lines))


def output_bytes(data: Mapping[str, Any]) -> bytes:
    r"""Return the bytes of a recorded line, its newline included; the inverse of `Lines`.

    >>> output_bytes({"stream": "stdout", "text": "one"})
    b'one\n'
    """
    encoded = data.get("base64")
    raw = data["text"].encode() if encoded is None else b64decode(encoded)
    return raw if data.get("partial") else raw + b"\n"


def _first_line(held: bytes) -> int:
    """Return the length of the first line so far."""
    end = held.find(b"\n")
    return len(held) if end < 0 else end


def _between_characters(held: bytes, cut: int) -> int:
    """Return the last position up to `cut` that is not inside a character, or `cut` if this is not UTF-8."""
    for place in range(cut, cut - 4, -1):
        if held[place] & 0xC0 != _CONTINUES:
            return place
    return cut
