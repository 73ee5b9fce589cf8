"""Output without a newline, and the order of output."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from running import Execution

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRITES = """
import sys
streams = {1: sys.stdout.buffer, 2: sys.stderr.buffer}
go_on = open(sys.argv[1], "rb", buffering=0)
for stream, data in eval(sys.argv[2]):
    streams[stream].write(data)
    streams[stream].flush()
    assert go_on.read(1)
"""
"""A program that writes pieces to its streams, and waits after each until it may go on."""

Pieces = list[tuple[int, bytes]]


@pytest.fixture
def writes(tmp_path: Path) -> Callable[[Pieces, list[str]], Execution]:
    """Run a program that writes pieces, and continues when these deltas are emitted."""

    def run(pieces: Pieces, awaited: list[str]) -> Execution:
        os.mkfifo(tmp_path / "go_on")
        # Opened for both, so that it neither blocks nor ends.
        go_on = os.open(tmp_path / "go_on", os.O_RDWR)

        def answer(_done: Execution, data: dict[str, Any]) -> None:
            if data["delta"] == awaited[0]:
                awaited.pop(0)
                os.write(go_on, b"!")

        try:
            return Execution(sys.executable, "-c", WRITES, str(tmp_path / "go_on"), repr(pieces), on_line=answer)
        finally:
            os.close(go_on)

    return run


def deltas(done: Execution) -> list[tuple[str, str]]:
    return [(data["stream"], data["delta"]) for kind, data in done.said if kind == "message_streamed"]


def test_a_prompt_is_emitted_before_its_line_ends(writes: Any) -> None:
    done = writes([(1, b"name? "), (1, b"hello\n")], ["name? ", "hello\n"])
    assert deltas(done) == [("stdout", "name? "), ("stdout", "hello\n")]
    assert done.facts["stdout_lines"] == 1


def test_a_progress_bar_is_emitted_as_it_grows(writes: Any) -> None:
    shown = [f"\r{'█' * done:10} {done}0 %" for done in range(11)]
    assert [delta for _, delta in deltas(writes([(1, one.encode()) for one in shown], list(shown)))] == shown


def test_a_character_that_arrives_in_parts_is_emitted_whole(writes: Any) -> None:
    first, second = "€".encode()[:1], "€".encode()[1:]
    done = writes(
        [(1, b"1 "), (2, b"x\n"), (1, b"2 " + first + second + first), (1, second)], ["1 ", "x\n", "2 €", "€"]
    )
    assert deltas(done) == [("stdout", "1 "), ("stderr", "x\n"), ("stdout", "2 €"), ("stdout", "€")]


def test_a_prompt_that_is_not_utf_8_is_emitted_as_its_bytes(writes: Any) -> None:
    done = writes([(1, b"\xff? "), (1, b"\n")], ["\ufffd? ", "\n"])
    assert done.output() == b"\xff? \n"


def test_the_streams_keep_the_order_in_which_they_were_read(writes: Any) -> None:
    pieces = [(1 + number % 2, f"{number} ".encode()) for number in range(20)]
    done = writes(list(pieces), [data.decode() for _, data in pieces])
    assert [delta for _, delta in deltas(done)] == [data.decode() for _, data in pieces]


def test_merged_streams_keep_the_order_in_which_they_were_written() -> None:
    program = "import os\nfor number in range(3_000): os.write(1 + number % 2, b'%d\\n' % number)"
    done = Execution(sys.executable, "-c", program, merge=True)
    assert done.output() == b"".join(b"%d\n" % number for number in range(3_000))
    assert "stderr_lines" not in done.facts
