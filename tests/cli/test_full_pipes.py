"""Standard output and error that do not block: a full pipe refuses what it cannot take, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

fcntl = pytest.importorskip("fcntl", reason="pipes of this kind are Unix's")

if TYPE_CHECKING:
    from collections.abc import Callable

ENOUGH = 60.0
PIPE_BYTES = 4096
LINES = 2_000
FLOOD = f"import sys\nfor i in range({LINES}): print(i, 'x' * 500, file=sys.{{stream}})"


@pytest.fixture
def environment(environment: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    return {**environment, "ASM_BACKEND": "peewee", "PYTHONUNBUFFERED": getattr(request, "param", "1")}


@pytest.fixture
def through_full_pipe(start: Callable[..., Any]) -> Callable[..., bytes]:
    """Run a command whose stream is a pipe that does not block, and read only once that is full."""

    def run(*arguments: str, stream: str = "stdout") -> bytes:
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(writer, False)
        other = "stderr" if stream == "stdout" else "stdout"
        with start(*arguments, **{stream: writer, other: subprocess.DEVNULL}) as child, open(reader, "rb") as output:  # noqa: PTH123
            with suppress(BlockingIOError):  # so that it is full for sure when the command writes
                os.write(writer, b"-" * PIPE_BYTES)
            os.close(writer)
            read = output.read()
            assert child.wait(ENOUGH) == 0
        return read.removeprefix(b"-" * PIPE_BYTES)

    return run


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("environment", ["", "1"], ids=["buffered", "unbuffered"], indirect=True)
def test_the_output_of_a_command_is_passed_on_whole(through_full_pipe: Callable[..., bytes], stream: str) -> None:
    command = ("run", "--agent", "a", "-q", "--", sys.executable, "-c", FLOOD.format(stream=stream))
    expected = "".join(f"{i} {'x' * 500}\n" for i in range(LINES))
    assert through_full_pipe(*command, stream=stream).decode() == expected


@pytest.mark.parametrize("arguments", [("show",), ("show", "--json"), ("tail", "-n", "9999"), ("export", "-o", "-")])
def test_what_is_printed_is_printed_whole(
    process: Callable[..., Any], through_full_pipe: Callable[..., bytes], arguments: tuple[str, ...]
) -> None:
    process("run", "--agent", "a", "--", sys.executable, "-c", FLOOD.format(stream="stdout"))
    session = process("sessions").stdout.splitlines()[1].split("\t")[0]
    command, *options = arguments
    assert through_full_pipe(command, session, *options).decode() == process(command, session, *options).stdout
