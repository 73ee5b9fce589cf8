"""``asm run`` in a terminal, and with a terminal for its command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pty", reason="terminals of this kind are Unix's")

from processes import LIMIT
from terminals import Terminal

import asm_core as asm
from asm_core.commands import output_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = ("run", "--agent", "a", "--quiet")
PYTHON = (*RUN, "--", sys.executable, "-c")
REPL = (*RUN, "--", sys.executable, "-I", "-q")
TTYS = "import os; print([os.isatty(descriptor) for descriptor in range(3)])"
WAITS = "import os, time; print(os.getpid(), end='.', flush=True)\nwhile True: time.sleep(0.01)"
"""One long wait can begin after the signal came, and would not end."""
FULL_SCREEN = """
import curses, os
def draw(screen):
    screen.addstr(2, 2, f"<{os.getpid()}>")
    while (key := screen.getkey()) != "q":
        screen.addstr(3, 2, f"[{key}] {screen.getmaxyx()}")
curses.wrapper(draw)
"""


@pytest.fixture(autouse=True)
def _environment(environment: dict[str, str]) -> None:
    environment.update(ASM_BACKEND="peewee", TERM="xterm-256color")
    for name in ("COLUMNS", "LINES"):  # they would hide the size of the terminal
        environment.pop(name, None)


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Callable[..., Terminal]:
    """Start `asm` in a terminal."""

    def start(*arguments: str, **streams: Any) -> Terminal:
        return Terminal(sys.executable, "-m", "asm_core", *arguments, cwd=tmp_path, env=environment, **streams)

    return start


@pytest.fixture
def recorded(environment: dict[str, str]) -> Callable[[], dict[str, Any]]:
    """Return the only session of the store, with its runs and events."""

    def read() -> dict[str, Any]:
        with asm.open_backend("peewee", url=environment["ASM_URL"]) as backend:
            (session,) = backend.session_store.list_sessions()
            runs, events = backend.session_store.list_runs(session.id), backend.session_store.get_events(session.id)
        return {
            "session": session.to_dict(),
            "runs": [run.to_dict() for run in runs],
            "events": [event.to_dict() for event in events],
        }

    return read


@pytest.fixture
def output(recorded: Any) -> Callable[[], bytes]:
    """Return the recorded output."""

    def read() -> bytes:
        return b"".join(output_bytes(data["data"]) for data in recorded()["events"] if "delta" in data["data"])

    return read


def statuses(found: dict[str, Any]) -> set[str]:
    return {found["session"]["status"], *(run["status"] for run in found["runs"])}


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    stat = Path(f"/proc/{pid}/stat")
    while stat.exists() and stat.read_text("utf-8").rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- programs -------------------------------------------------------------------------------------------------------


def test_an_interpreter_is_interactive(terminal: Any, output: Any) -> None:
    with terminal(*REPL) as window:
        window.until(b">>> ")
        assert window.is_raw()
        window.type(b"6 * 7\r")
        window.until(b"42")
        window.type(b"raise SystemExit(3)\r")
        assert window.ended() == 3
        assert window.attributes() == window.before
    assert output() == window.shown


def test_ctrl_c_reaches_the_program_which_goes_on(terminal: Any, recorded: Any) -> None:
    program = """
import time
try:
    print("ready", flush=True)
    time.sleep(1000)
except KeyboardInterrupt:
    print(input("again? "))
"""
    with terminal(*PYTHON, program) as window:
        window.until(b"ready")
        window.type(b"\x03")
        window.until(b"^Cagain? ")
        window.type(b"no\r")
        assert window.ended() == 0
    assert statuses(recorded()) == {"completed"}


def test_a_command_that_ctrl_c_ends_is_cancelled(terminal: Any, recorded: Any) -> None:
    with terminal(*RUN, "--", "sh", "-c", "echo ready; exec sleep 1000") as window:
        window.until(b"ready")
        window.type(b"\x03")
        assert window.ended() == 130
        assert window.attributes() == window.before
    assert statuses(recorded()) == {"cancelled"}


def test_ctrl_c_reaches_a_command_that_has_closed_its_streams(terminal: Any, recorded: Any) -> None:
    with terminal(*RUN, "--", "sh", "-c", "echo $$.; exec sleep 1000 <&- >&- 2>&-") as window:
        pid = int(window.until(b".")[:-1])
        while not Path(f"/proc/{pid}/comm").read_text("utf-8").startswith("sleep"):
            pass
        window.type(b"\x03")
        assert window.ended() == 130
    assert statuses(recorded()) == {"cancelled"}


def test_a_full_screen_program_gets_keys_and_sizes(terminal: Any, output: Any) -> None:
    with terminal(*PYTHON, FULL_SCREEN) as window:
        window.until(b">")
        window.type(b"k")
        window.until(b"(24, 80)")
        window.resize(50, 132)
        window.until(b"(50, 132)")
        window.type(b"q")
        assert window.ended() == 0
        assert window.attributes() == window.before
    assert output() == window.shown


def test_a_progress_bar_is_shown_as_it_grows(terminal: Any, output: Any) -> None:
    program = "for done in range(5): print(end=f'\\r{done}0 %', flush=True); input()"
    with terminal(*PYTHON, program) as window:
        for done in range(5):
            window.until(b"\r%d0 %%" % done)
            window.type(b"\r")
        assert window.ended() == 0
    assert output() == window.shown


def test_an_interactive_shell_has_job_control(terminal: Any, environment: dict[str, str]) -> None:
    environment["PS1"] = "ready> "
    with terminal(*RUN, "--", "sh", "-i") as window:
        window.until(b"ready> ")
        window.type(b"sh -c 'echo \"begun\".; exec sleep 1000'\r")
        window.until(b"begun.")
        window.type(b"\x1a")
        window.until(b"ready> ")
        window.type(b"fg\r")
        window.until(b"fg\r\nsh -c")
        window.type(b"\x03")
        window.until(b"ready> ")
        window.type(b"exit 7\r")
        assert window.ended() == 7


# -- what is recorded -----------------------------------------------------------------------------------------------


def test_input_is_not_recorded(terminal: Any, recorded: Any) -> None:
    program = "import getpass; print(len(getpass.getpass('password? ')))"
    with terminal(*PYTHON, program) as window:
        window.until(b"password? ")
        window.type(b"Xyzzy-1234\r")
        assert window.ended() == 0
    found = recorded()
    assert "".join(event["data"].get("delta", "") for event in found["events"]) == "password? \r\n10\r\n"
    assert "Xyzzy" not in json.dumps(found)


def test_size_and_terminal_are_recorded(terminal: Any, recorded: Any) -> None:
    with terminal(*PYTHON, TTYS) as window:
        assert window.ended() == 0
    found = recorded()
    assert window.shown == b"[True, True, True]\r\n"
    assert found["runs"][0]["input"]["tty"] is True
    (call,) = (event["data"] for event in found["events"] if event["type"] == "tool_call_started")
    assert call["terminal"] == {"columns": 80, "rows": 24}
    assert found["runs"][0]["output"]["terminal_lines"] == 1


def test_bytes_of_a_terminal_are_recorded_as_they_are(terminal: Any, output: Any) -> None:
    data = b"\xff\xfe\x1b[31m\xe2\x82\r\n\0" + "€".encode() * 3_000 + b"\xe2"
    with terminal(*PYTHON, f"import os; os.write(1, {data!r})") as window:
        assert window.ended() == 0
    assert output() == data.replace(b"\n", b"\r\n")
    assert window.shown == output() + b"\x1b[0m"


def test_a_replay_in_a_terminal_shows_the_same(terminal: Any, recorded: Any) -> None:
    with terminal(*PYTHON, "print('\\033[7mone'); print('two\\033[0m', end='')") as window:
        assert window.ended() == 0
    with terminal("output", recorded()["session"]["id"], "--replay") as again:
        assert again.ended() == 0
    assert again.shown.replace(b"\r\r\n", b"\r\n") == window.shown == b"\x1b[7mone\r\ntwo\x1b[0m"


# -- ends -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), [("SIGTERM", "cancelled"), ("SIGHUP", "cancelled")])
def test_a_signal_to_asm_ends_the_command_and_restores_the_terminal(
    terminal: Any, recorded: Any, number: str, status: str
) -> None:
    with terminal(*PYTHON, WAITS) as window:
        pid = int(window.until(b".")[:-1])
        window.process.send_signal(signal.Signals[number])
        assert window.ended() == 128 + signal.Signals[number]
        assert window.attributes() == window.before
    wait_until_gone(pid)
    assert statuses(recorded()) == {status}


def test_a_killed_full_screen_program_leaves_a_usable_terminal(terminal: Any, recorded: Any) -> None:
    with terminal(*PYTHON, FULL_SCREEN) as window:
        pid = int(window.until(b">").rpartition(b"<")[2][:-1])
        os.kill(pid, signal.SIGKILL)
        assert window.ended() == 137
        assert window.attributes() == window.before
    assert b"\x1b[?1049h" in window.shown
    assert window.shown.rpartition(b"\x1b[?1049h")[2].count(b"\x1b[?1049l") == 1
    assert statuses(recorded()) == {"failed"}


def test_a_killed_asm_ends_the_command(terminal: Any, process: Callable[..., Any], recorded: Any) -> None:
    with terminal(*PYTHON, WAITS) as window:
        pid = int(window.until(b".")[:-1])
        window.process.kill()
        window.ended()
    wait_until_gone(pid)
    found = recorded()
    assert statuses(found) == {"active", "running"}
    assert "".join(event["data"].get("delta", "") for event in found["events"]) == f"{pid}."
    process("maintain")
    assert statuses(recorded()) == {"failed"}


def test_a_closed_window_ends_the_command(terminal: Any, recorded: Any) -> None:
    with terminal(*PYTHON, WAITS) as window:
        pid = int(window.until(b".")[:-1])
        window.hang_up()
        window.process.wait(LIMIT)
    wait_until_gone(pid)
    assert statuses(recorded()) <= {"cancelled", "failed"}


def test_a_timeout_ends_what_runs_in_the_foreground_of_a_shell(terminal: Any, environment: dict[str, str]) -> None:
    environment["PS1"] = "ready> "
    with terminal(*RUN, "--timeout", "2", "--", "sh", "-i") as window:
        window.until(b"ready> ")
        window.type(b"sh -c 'echo \"<$$>\"; exec sleep 1000'\r")
        window.until(b"'\r\n<")
        pid = int(window.until(b">")[:-1])
        assert window.ended() == 124
        assert window.attributes() == window.before
    wait_until_gone(pid)


def test_a_program_that_is_missing_ends_with_127(terminal: Any) -> None:
    with terminal(*RUN, "--", "no-such-program") as window:
        assert window.ended() == 127
        assert window.attributes() == window.before
    assert b"no-such-program could not be started: No such file or directory." in window.shown


def test_after_a_stop_the_terminal_is_raw_again(terminal: Any) -> None:
    with terminal(*REPL) as window:
        window.until(b">>> ")
        window.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, window.process.pid, os.WSTOPPED | os.WNOWAIT)
        window.set_attributes(window.before)
        window.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + 60
        while not window.is_raw():
            assert time.monotonic() < deadline
        window.type(b"exit()\r")
        assert window.ended() == 0
        assert window.attributes() == window.before


# -- with and without a terminal --------------------------------------------------------------------------------------


def test_on_a_terminal_the_next_command_is_named(terminal: Any) -> None:
    with terminal("run", "--backend", "sqlmodel", "--agent", "a", "--", "true") as window:
        assert window.ended() == 0
    assert window.shown.endswith(b"events.\r\nTo see it, run: asm --backend sqlmodel show last\r\n")


def test_no_tty_gives_the_command_no_terminal(terminal: Any, recorded: Any) -> None:
    with terminal(*RUN, "--no-tty", "--", sys.executable, "-c", TTYS) as window:
        assert window.ended() == 0
    assert window.shown == b"[False, False, False]\r\n"
    assert "tty" not in recorded()["runs"][0]["input"]


def test_in_a_pipe_the_command_gets_no_terminal(process: Callable[..., Any], terminal: Any) -> None:
    assert process(*PYTHON, TTYS).stdout == "[False, False, False]\n"
    with terminal(*PYTHON, TTYS, stdout=subprocess.PIPE) as window:
        assert window.ended() == 0
        assert window.process.stdout.read() == b"[False, False, False]\n"
        window.process.stdout.close()


def test_a_redirected_standard_error_stays_apart(terminal: Any, tmp_path: Path) -> None:
    program = f"import os; os.write(2, b'oops\\n\\xff'); {TTYS}"
    with (tmp_path / "errors").open("wb") as errors, terminal(*PYTHON, program, stderr=errors) as window:
        assert window.ended() == 0
    assert (window.shown, (tmp_path / "errors").read_bytes()) == (b"[True, True, False]\r\n", b"oops\n\xff")


def test_tty_in_a_pipe_passes_the_input_on_to_its_end(process: Callable[..., Any]) -> None:
    program = "import os, sys; print(os.isatty(0), [line.rstrip() for line in sys.stdin], sys.stdin.read())"
    result = process(*RUN, "--tty", "--", sys.executable, "-c", program, given="one\ntwo")
    assert (result.stdout, result.returncode) == ("True ['one', 'two'] \n", 0)


def test_in_the_background_the_command_gets_no_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "asm_core", *PYTHON, TTYS]
    script = ["sh", "-c", 'set -m; "$@" & wait $!', "sh", *command]
    with Terminal(*script, cwd=tmp_path, env=environment) as window:
        assert window.ended() == 0
    assert b"[False, False, False]" in window.shown
