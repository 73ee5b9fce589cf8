"""Signals to ``asm run``: each reaches the command, and the end is recorded, however many come."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import Process

pty = pytest.importorskip("pty", reason="signals of this kind are Unix's")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENOUGH = 60.0
"""Seconds after which something that ought to happen counts as not happening."""

RUN = ("run", "--agent", "a", "--")
WAITS = (*RUN, "sh", "-c", "echo $$; exec sleep 1000")
REPORTS = (
    *RUN,
    sys.executable,
    "-S",
    "-c",
    """
import signal
expected = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, expected)
print("ready", flush=True)
while True:
    print(signal.Signals(signal.sigwait(expected)).name, flush=True)
""",
)
"""A program that names each signal it gets, and does not end."""


@pytest.fixture(autouse=True)
def _a_small_backend(environment: dict[str, str]) -> None:
    """Take the backend that starts fastest."""
    environment["ASM_BACKEND"] = "peewee"


def statuses(store: Path) -> list[tuple[str, str]]:
    """Return the status of each session and of its run."""
    with closing(sqlite3.connect(store / "asm.db")) as database:
        query = "SELECT s.status, r.status FROM asm_sessions s JOIN asm_runs r ON r.session_id = s.id ORDER BY s.id"
        return database.execute(query).fetchall()


def is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def send(child: subprocess.Popen[str], numbers: list[signal.Signals]) -> None:
    for number in numbers:
        child.send_signal(number)


@pytest.mark.parametrize("numbers", [[signal.SIGINT] * 2, [signal.SIGTERM] * 3, [signal.SIGHUP] * 10])
def test_a_burst_of_signals_is_recorded_as_one_cancellation(
    start: Callable[..., Any], tmp_path: Path, numbers: list[signal.Signals]
) -> None:
    with start(*WAITS) as child:
        pid = int(child.stdout.readline())
        send(child, numbers)
        _, err = child.communicate()
    assert child.returncode == 128 + numbers[0]
    assert "cancelled" in err
    assert (statuses(tmp_path), is_running(pid)) == ([("cancelled", "cancelled")], False)


def test_an_interrupted_command_can_print_before_it_ends(start: Callable[..., Any], tmp_path: Path) -> None:
    program = """
import time
try:
    print("ready", flush=True)
    while True:
        time.sleep(0.01)  # one long wait can begin after the signal came, and would not end
except KeyboardInterrupt:
    print("1 passed, 2 to go")
    raise SystemExit(2)
"""
    with start(*RUN, sys.executable, "-c", program) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate()
    assert (out, child.returncode) == ("1 passed, 2 to go\n", 130)
    assert statuses(tmp_path) == [("cancelled", "cancelled")]


def test_each_further_signal_is_harder(start: Callable[..., Any]) -> None:
    with start(*REPORTS) as child:
        seen = [child.stdout.readline()]
        for number in (signal.SIGINT, signal.SIGHUP):
            child.send_signal(number)
            seen.append(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == ""
        child.communicate()
    assert (seen, child.returncode) == (["ready\n", "SIGINT\n", "SIGTERM\n"], 130)


def test_signals_with_a_meaning_of_their_own_are_passed_on(start: Callable[..., Any]) -> None:
    with start(*REPORTS) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGUSR1)
        assert child.stdout.readline() == "SIGUSR1\n"
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGINT)
        child.communicate()
    assert child.returncode in {130, 143}  # two that are pending at once have no order


def ignoring_hangup() -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


hangup_is_ignored = pytest.fixture(name="hangup_is_ignored")(ignoring_hangup)


@pytest.mark.usefixtures("hangup_is_ignored")
def test_what_nohup_ignores_stays_ignored(start: Callable[..., Any], tmp_path: Path) -> None:
    script = "echo $$; read line; kill -HUP $$; echo still here"
    with start(*RUN, "sh", "-c", script, stdin=subprocess.PIPE) as child:
        assert int(child.stdout.readline())
        child.send_signal(signal.SIGHUP)
        out, _ = child.communicate("go on\n", timeout=ENOUGH)
    assert (out, child.returncode) == ("still here\n", 0)
    assert statuses(tmp_path) == [("completed", "completed")]


def test_the_end_is_recorded_if_the_reader_blocks(start: Callable[..., Any], tmp_path: Path) -> None:
    flood = "import os\nprint(os.getpid(), flush=True)\nwhile True: print('x' * 1000)"
    with start(*RUN, sys.executable, "-c", flood) as child:
        pid = int(child.stdout.readline())
        child.send_signal(signal.SIGTERM)
        err = child.stderr.read()
        child.wait(ENOUGH)
        child.stdout.close()
    assert (child.returncode, "cancelled" in err) == (143, True)
    assert (statuses(tmp_path), is_running(pid)) == ([("cancelled", "cancelled")], False)


def test_ctrl_c_at_a_terminal_reaches_the_command_once(environment: dict[str, str], tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    command = (sys.executable, "-m", "asm_core", "run", "--no-tty", *REPORTS[1:])
    code = (
        "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    child = Process(
        (sys.executable, "-S", "-c", code, *command), cwd=tmp_path, env=environment, stdin=end, stdout=end, stderr=end
    )
    os.close(end)
    with open(terminal, "r+b", buffering=0) as typed:  # noqa: PTH123  there is a descriptor, and no path
        seen = until(typed, b"ready")
        typed.write(b"\x03")
        seen = until(typed, b"SIGINT")
        typed.write(b"\x1c")
        seen += until(typed, b"SIGTERM")
        typed.write(b"\x03")
        seen += until(typed, b"cancelled")
        assert child.wait(ENOUGH) == 130
    assert (seen.count(b"SIGINT"), seen.count(b"SIGTERM")) == (1, 1)


def until(stream: Any, text: bytes) -> bytes:
    """Read from a terminal until it has shown this text."""
    seen = b""
    while text not in seen:
        seen += stream.read(1)
    return seen


def test_no_burst_of_signals_at_any_instant_leaves_anything(
    start: Callable[..., Any], process: Callable[..., Any], tmp_path: Path, soak: int
) -> None:
    process("db", "upgrade")
    rng = random.Random(7)  # noqa: S311  no secret
    kinds = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
    for turn in range(4 * soak):
        chosen = rng.choice([kinds[:1], kinds[1:2], kinds])
        with start(*WAITS) as child:
            if turn % 4 == 3:  # at an instant of its start
                time.sleep(rng.uniform(0, 2))
                pid = None
            else:
                pid = int(child.stdout.readline())
            for _ in range(rng.choice([2, 3, 10, 50])):
                child.send_signal(rng.choice(chosen))
                time.sleep(rng.choice([0, 0.0005, 0.005, 0.15]))
            _, err = child.communicate()
        assert child.returncode < 0 or child.returncode - 128 in chosen, err
        assert "Traceback" not in err or pid is None
        assert pid is None or not is_running(pid)
        assert {status for pair in statuses(tmp_path) for status in pair} <= {"cancelled"}
