"""What goes to pipes and terminals, between processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import LIMIT, Process

pty = pytest.importorskip("pty", reason="terminals of this kind are Unix's")

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = r"import sys; sys.stdout.write('\x1b[2J\x1b]0;title\x07\x9b31m tab\there \u202e end\n' * 3)"
COLOURS = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[2K|\x1b\[1A|\r\n|\r")


@pytest.fixture
def session(process: Callable[..., Any]) -> str:
    """Record a command that would like to command the terminal."""
    process("run", "--agent", "evil\x1b[2J", "--tag", "\x9bm", "--", sys.executable, "-c", HOSTILE)
    (found,) = json.loads(process("sessions", "--json").stdout)
    return str(found["id"])


def commands(session: str) -> list[tuple[str, ...]]:
    """Return some commands, as processes take long to start; another test walks all of them in this process."""
    return [
        ("sessions",),
        ("show", session),
        ("tail", session, "-n", "100", "--follow"),
        ("backends",),
        ("providers",),
        ("--help",),
    ]


def test_a_pipe_gets_no_colour_no_box_and_no_control_character(process: Callable[..., Any], session: str) -> None:
    for arguments in commands(session):
        for options in (
            ((), ("--json",))
            if arguments[0] in {"sessions", "show", "tail", "usage", "backends", "providers"}
            else ((),)
        ):
            result = process(*arguments, *options)
            assert (result.returncode, result.stderr) == (0, ""), arguments
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\u2500-\u257f]", result.stdout), (
                arguments
            )


def test_a_terminal_gets_colours_and_nothing_that_was_recorded(
    environment: dict[str, str], tmp_path: Path, session: str
) -> None:
    for arguments in commands(session):
        terminal, end = pty.openpty()
        command = [sys.executable, "-m", "asm_core", *arguments]
        variables = {**environment, "TERM": "xterm-256color", "COLUMNS": "120"}
        with Process(command, cwd=tmp_path, env=variables, stdin=end, stdout=end, stderr=end) as child:
            os.close(end)
            written = b""
            while chunk := read(terminal):
                written += chunk
        os.close(terminal)
        assert child.returncode == 0
        plain = COLOURS.sub(b"", written)
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae", plain), arguments
        assert written != plain or arguments[0] in {"health", "--help"} or arguments[1:] == ("--help",)


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux says so when the other end is closed
        return b""


@pytest.mark.parametrize("arguments", [("show",), ("show", "--json"), ("tail", "-n", "1000000"), ("export", "-o", "-")])
def test_when_the_reader_goes_away_it_ends_quietly(
    start: Callable[..., Any], process: Callable[..., Any], arguments: tuple[str, ...]
) -> None:
    process("run", "--agent", "a", "--", sys.executable, "-c", "print('x' * 1000, sep='\\n', end='\\n' * 3000)")
    (found,) = json.loads(process("sessions", "--json").stdout)
    command, *options = arguments
    with start(command, found["id"], *options) as child:
        assert child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 141


def test_another_process_sees_each_line_as_it_comes(
    start: Callable[..., Any], process: Callable[..., Any], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "script")
    echo = "for line in open('script'): print(line, end='', flush=True)"
    with start("run", "--agent", "a", "--", sys.executable, "-c", echo) as runner:
        with (tmp_path / "script").open("w", encoding="utf-8", buffering=1) as script:
            script.write("first\n")
            assert runner.stdout.readline() == "first\n"
            (found,) = json.loads(process("sessions", "--json", "--status", "active").stdout)
            with start("tail", found["id"], "--follow", "--json", "--type", "message_streamed") as tail:
                assert json.loads(tail.stdout.readline())["data"]["delta"] == "first\n"
                for text in ("second", "third"):
                    script.write(f"{text}\n")
                    assert json.loads(tail.stdout.readline())["data"]["delta"] == f"{text}\n"
                script.close()
                assert tail.stdout.read() == ""
        assert (tail.returncode, runner.wait()) == (0, 0)


def test_ctrl_c_ends_following_with_0(start: Callable[..., Any], process: Callable[..., Any]) -> None:
    wait = "import time; print('ready', flush=True)\nwhile True: time.sleep(0.01)"
    with start("run", "--agent", "a", "--", sys.executable, "-c", wait) as runner:
        assert runner.stdout.readline() == "ready\n"
        (found,) = json.loads(process("sessions", "--json").stdout)
        with start("tail", found["id"], "--follow", "--json", "--type", "message_streamed") as tail:
            assert tail.stdout.readline()
            tail.send_signal(signal.SIGINT)
            assert tail.communicate() == ("", "")
        runner.send_signal(signal.SIGINT)
        runner.communicate()
    assert (tail.returncode, runner.returncode) == (0, 130)


def test_closed_streams_do_no_harm(process: Callable[..., Any], environment: dict[str, str], tmp_path: Path) -> None:
    program = f'exec "{sys.executable}" -m asm_core run --agent a -- echo hello >&- 2>&- <&-'
    assert (
        subprocess.run(["/bin/sh", "-c", program], cwd=tmp_path, env=environment, check=False, timeout=LIMIT).returncode
        == 0
    )
    (found,) = json.loads(process("sessions", "--json").stdout)
    assert found["status"] == "completed"


@pytest.mark.skipif(sys.platform != "linux", reason="the full device is Linux's")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["sessions", "--help"], ["backends"]], ids=str)
def test_a_full_disk_is_an_error_and_no_traceback(start: Callable[..., Any], arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full, start(*arguments, stdout=full, stderr=subprocess.PIPE) as asm:
        message = asm.communicate()[1]
    assert asm.returncode == 1
    assert message == "error: No space left on device\n"


def test_a_pipe_of_a_poor_encoding_still_gets_everything(
    process: Callable[..., Any], environment: dict[str, str]
) -> None:
    process("run", "--agent", "agént", "--", "echo", "🙂")
    environment["PYTHONIOENCODING"] = "ascii"
    result = process("sessions")
    assert (result.returncode, result.stderr) == (0, "")
    assert "ag\\xe9nt" in result.stdout
