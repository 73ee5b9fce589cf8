"""Modes that a command leaves set in a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asm_core.cli.output.screen import Screen

OUTPUT = b"\x1b[?1049h\x1b[?1000;1006h\x1b[1;31mred\x1b[0m\x1b[?25l\x1b[?9999htext"


@pytest.mark.parametrize(
    ("output", "undone"),
    [
        (b"", b""),
        (b"text", b""),
        (b"\x1b[?1049h\x1b[?25l\x1b[?25h\x1b[?1049l", b""),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?25l\x1b[?1049h", b"\x1b[?1049l\x1b[?25h"),
        (b"\x1b[31m", b"\x1b[0m"),
        (b"\x1b[31m\x1b[m", b""),
        (b"\x1b[31m\x1b[1;0m", b""),
        (b"\x1b[0;31m", b"\x1b[0m"),
        (b"\x1b[37m\x1b[40m\x1b[39;49m", b""),
        (b"\x1b[97;107m\x1b[39;49m", b""),
        (b"\x1b[1;97m\x1b[39;49m", b"\x1b[0m"),
        (b"\x1b[1;7m\x1b[22;27m", b""),
        (b"\x1b[38;5;0m", b"\x1b[0m"),
        (b"\x1b[48:2::0:0:0m", b"\x1b[0m"),
        (b"\x1b[?9999h", b""),
        (OUTPUT, b"\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1006l"),
    ],
)
def test_only_what_was_left_set_is_undone(output: bytes, undone: bytes) -> None:
    screen = Screen()
    screen.follow(output)
    assert screen.undo() == undone


@given(st.lists(st.integers(1, 10)))
def test_sequences_that_arrive_in_parts_are_recognized(sizes: list[int]) -> None:
    whole, parts, left = Screen(), Screen(), OUTPUT
    whole.follow(OUTPUT)
    for size in sizes:
        parts.follow(left[:size])
        left = left[size:]
    parts.follow(left)
    assert parts.undo() == whole.undo()
