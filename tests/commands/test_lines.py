from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import joined

from asm_core import Event
from asm_core.commands import lines as module
from asm_core.commands.lines import PART_BYTES, Lines, joined_output
from asm_core.values.payloads import check_payload

PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"a", "ü€😀".encode(), b"words of text"]
)
CHUNKS = st.lists(st.one_of(st.binary(min_size=1, max_size=20), st.lists(PIECES, min_size=1).map(b"".join)))


def fed(chunks: list[bytes]) -> list[dict[str, Any]]:
    lines = Lines("stdout")
    return [*(item for chunk in chunks for item in lines.feed(chunk)), *lines.end()]


@given(CHUNKS)
def test_what_is_recorded_gives_back_the_bytes(chunks: list[bytes]) -> None:
    assert joined(fed(chunks)) == b"".join(chunks)


@given(CHUNKS)
def test_what_is_recorded_needs_no_check(chunks: list[bytes]) -> None:
    for item in fed(chunks):
        assert repr(check_payload("data", item)) == repr(item)


@given(CHUNKS)
def test_output_is_passed_on_as_its_lines_are(chunks: list[bytes]) -> None:
    assert joined_output(fed(chunks)) == b"".join(chunks)


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=4), PIECES.map(lambda piece: piece[:4]))), st.integers(4, 12))
def test_so_do_parts_of_long_lines(chunks: list[bytes], size: int) -> None:
    with patch.object(module, "PART_BYTES", size):
        items = fed(chunks)
    assert joined(items) == b"".join(chunks)
    assert max((len(joined([item]).rstrip(b"\n")) for item in items), default=0) <= size


@given(CHUNKS)
def test_how_it_comes_does_not_matter(chunks: list[bytes]) -> None:
    assert fed(chunks) == fed([b"".join(chunks)])


@given(CHUNKS)
def test_a_line_is_what_ends_with_a_newline(chunks: list[bytes]) -> None:
    whole, *rest = b"".join(chunks).rpartition(b"\n")
    texts = [f"{line.decode(errors='replace')}\n" for line in whole.split(b"\n")] if rest[0] else []
    last = [rest[1].decode(errors="replace")] if rest[1] else []
    assert [item["delta"] for item in fed(chunks)] == texts + last


@given(CHUNKS)
def test_every_line_can_be_stored(chunks: list[bytes]) -> None:
    for item in fed(chunks):
        assert Event.new(type="message_streamed", session_id="s", data=item).data == item


@given(st.lists(st.characters(codec="utf-8").map(str.encode)), st.integers(4, 12))
def test_parts_do_not_cut_characters(characters: list[bytes], size: int) -> None:
    with patch.object(module, "PART_BYTES", size):
        assert not any("base64" in item for item in fed(characters))


@given(CHUNKS)
def test_counts_are_of_lines_and_bytes(chunks: list[bytes]) -> None:
    lines = Lines("stdout")
    for chunk in chunks:
        lines.feed(chunk)
    lines.end()
    data = b"".join(chunks)
    assert (lines.bytes, lines.lines) == (len(data), data.count(b"\n") + bool(data.rpartition(b"\n")[2]))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"one\ntwo\n", [{"delta": "one\n"}, {"delta": "two\n"}]),
        (b"one", [{"delta": "one"}]),
        (b"\n\n", [{"delta": "\n"}, {"delta": "\n"}]),
        (b"a\0b\n", [{"delta": "a\0b\n"}]),
        (b"a\r\n", [{"delta": "a\r\n"}]),
        (b"a\xff\n", [{"delta": "a\ufffd\n", "base64": "Yf8K"}]),
        (b"", []),
    ],
)
def test_examples(data: bytes, expected: list[dict[str, Any]]) -> None:
    assert fed([data]) == [{"stream": "stdout", **item} for item in expected]


def test_a_line_of_exactly_a_part_is_whole() -> None:
    assert [len(item["delta"]) for item in fed([b"x" * PART_BYTES, b"\n"])] == [PART_BYTES + 1]


def test_a_longer_line_is_in_parts_and_only_the_last_ends_it() -> None:
    parts = [item["delta"] for item in fed([b"x" * PART_BYTES * 2 + b"x\n"])]
    assert parts == ["x" * PART_BYTES, "x" * PART_BYTES, "x\n"]


def test_only_a_part_is_held_back() -> None:
    lines = Lines("stdout")
    items = [item for _ in range(160) for item in lines.feed(b"x" * 65536)]
    assert len(lines._held) <= PART_BYTES
    assert sum(len(item["delta"]) for item in items) + len(lines._held) == 160 * 65536


@given(st.text().map(str.encode), st.lists(st.integers(1, 3)))
def test_released_output_does_not_cut_characters(data: bytes, sizes: list[int]) -> None:
    lines, items = Lines("stdout"), []
    for size in sizes:
        chunk, data = data[:size], data[size:]
        items += [*(lines.feed(chunk) if chunk else []), *lines.release()]
    items += [*(lines.feed(data) if data else []), *lines.end()]
    assert not any("base64" in item for item in items)


@given(CHUNKS)
def test_released_output_is_complete(chunks: list[bytes]) -> None:
    lines = Lines("stdout")
    items = [*(item for chunk in chunks for item in (*lines.feed(chunk), *lines.release())), *lines.end()]
    assert joined(items) == b"".join(chunks)


@given(CHUNKS)
def test_output_of_a_terminal_is_not_held(chunks: list[bytes]) -> None:
    lines = Lines("terminal", whole=False)
    items = []
    for chunk in chunks:
        items += lines.feed(chunk)
        assert not lines.is_held
    assert joined([*items, *lines.end()]) == b"".join(chunks)


def test_an_incomplete_character_is_held_until_it_is_complete() -> None:
    lines = Lines("stdout")
    assert lines.feed("€".encode()[:2]) == lines.release() == []
    assert not lines.is_held
    assert [*lines.feed("€".encode()[2:]), *lines.release()] == [{"stream": "stdout", "delta": "€"}]
