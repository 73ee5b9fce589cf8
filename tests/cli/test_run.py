"""``asm run``, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN = ("run", "--agent", "builder", "--")
PYTHON = (*RUN, sys.executable, "-c")
READY_THEN_WAIT = "import os, signal; signal.signal(2, signal.SIG_DFL); print(os.getpid(), flush=True); signal.pause()"


@pytest.fixture
def recorded(process: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    """Return the only session of the store, with all that belongs to it."""

    def read() -> dict[str, Any]:
        (session,) = json.loads(process("sessions", "--json").stdout)
        found: dict[str, Any] = json.loads(process("show", session["id"], "--json").stdout)
        return found

    return read


def test_redact_replaces_secrets_in_command_and_output(
    process: Callable[..., Any], recorded: Callable[[], dict[str, Any]]
) -> None:
    secret = "sk-ant-api03-" + "Ab1" * 20
    code = "import sys; print('key', sys.argv[1]); print(len(sys.argv[1]))"
    done = process("run", "--redact", "--agent", "builder", "--", sys.executable, "-c", code, secret)
    assert done.stdout == f"key [REDACTED:anthropic_api_key]\n{len(secret)}\n"
    assert secret not in repr(recorded())


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while not is_gone(pid):
        assert time.monotonic() < deadline


def test_output_is_passed_on_to_the_byte_and_recorded(process: Callable[..., Any], recorded: Any) -> None:
    out, err = b"line\n\0\xff\xfe\r\nunfinished", b"\x1b[31moops\n"
    program = f"import sys; sys.stdout.buffer.write({out!r}); sys.stderr.buffer.write({err!r})"
    result = process(*PYTHON, program, text=False)
    found = recorded()
    assert result.returncode == 0
    assert result.stdout == out
    note = f"Recorded session {found['session']['id']}: completed, {found['last_sequence']} events.\n"
    assert result.stderr == err + note.encode()
    assert [event["type"] for event in found["events"]] == [
        "session_created",
        "session_started",
        "run_started",
        "message_sent",
        "tool_call_started",
        *["message_streamed"] * 4,
        "tool_call_completed",
        "run_completed",
        "session_completed",
    ]


@pytest.mark.parametrize("status", [1, 3, 255])
def test_the_exit_status_is_the_commands(process: Callable[..., Any], recorded: Any, status: int) -> None:
    result = process(*PYTHON, f"raise SystemExit({status})")
    assert result.returncode == status
    assert result.stderr.startswith("Recorded session ses_")
    assert recorded()["session"]["status"] == "failed"


def test_a_command_that_does_not_exist_ends_with_127(process: Callable[..., Any], recorded: Any) -> None:
    result = process(*RUN, "no-such-program")
    assert (result.returncode, result.stdout) == (127, "")
    assert "error: no-such-program could not be started: No such file or directory." in result.stderr
    assert recorded()["runs"][0]["status"] == "failed"


def test_a_command_that_cannot_be_executed_ends_with_126(process: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no program")
    assert process(*RUN, "./data").returncode == 126


def test_a_command_that_a_signal_ended_ends_with_128_and_its_number(process: Callable[..., Any]) -> None:
    assert process(*PYTHON, "import os; os.kill(os.getpid(), 9)").returncode == 137


def test_a_command_that_takes_too_long_is_ended_with_124(process: Callable[..., Any], recorded: Any) -> None:
    result = process("run", "--agent", "a", "--timeout", "0.5", "--", sys.executable, "-c", READY_THEN_WAIT)
    assert result.returncode == 124
    assert "error: The run was ended after its timeout of 0.5 seconds." in result.stderr
    found = recorded()
    assert (found["session"]["status"], found["runs"][0]["status"]) == ("failed", "timeout")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT])
def test_an_interruption_ends_the_command_and_is_recorded(
    start: Callable[..., Any], recorded: Any, number: signal.Signals
) -> None:
    with start(*PYTHON, READY_THEN_WAIT) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        child.send_signal(number)
        _, err = child.communicate()
    assert child.returncode == 128 + number
    assert ": cancelled, " in err
    assert "Traceback" not in err
    wait_until_gone(pid)
    found = recorded()
    assert (found["session"]["status"], found["runs"][0]["status"]) == ("cancelled", "cancelled")


def test_a_closed_output_ends_the_command(start: Callable[..., Any], recorded: Any) -> None:
    forever = "import itertools, os\nfor number in itertools.count(): print(os.getpid(), number)"
    with start(*PYTHON, forever) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        pid = int(child.stdout.readline().split()[0])
        child.stdout.close()
        err = child.stderr.read()
    assert child.returncode == 141
    assert "Traceback" not in err
    assert err.startswith("Recorded session ses_")
    wait_until_gone(pid)
    assert recorded()["session"]["status"] == "failed"


def test_metadata_of_the_run_is_recorded(process: Callable[..., Any], recorded: Any, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    options = ("--tag", "nightly", "--tag", "ci", "--metadata", "ticket=42", "--metadata", "eq=a=b", "--cwd", "below")
    result = process("run", "--agent", "builder", *options, "--quiet", "--", "pwd")
    assert (result.stdout, result.stderr) == (f"{tmp_path}/below\n", "")
    session = recorded()["session"]
    assert (session["agent_id"], session["tags"]) == ("builder", ["nightly", "ci"])
    assert {"ticket": "42", "eq": "a=b"}.items() <= session["metadata"].items()


def test_the_place_of_the_command_is_recorded(process: Callable[..., Any], recorded: Any, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    process("run", "--agent", "a", "--cwd", "below", "--", "true")
    origin = recorded()["session"]["metadata"]["origin"]
    assert origin["directory"] == f"{tmp_path}/below"
    assert {"host", "user"} <= origin.keys() <= {"directory", "host", "user", "git"}


def test_no_variable_of_the_environment_is_recorded(
    process: Callable[..., Any], recorded: Any, environment: dict[str, str]
) -> None:
    environment["SECRET"] = "f0e1d2c3"  # noqa: S105  no secret
    process(*RUN, "true")
    assert "f0e1d2c3" not in json.dumps(recorded())


def test_what_follows_the_program_is_its_own(process: Callable[..., Any]) -> None:
    shown = "import sys; print(sys.argv[1:])"
    result = process("run", "--agent", "a", sys.executable, "-c", shown, "--agent", "x", "--", "-b", "--help")
    assert result.stdout == "['--agent', 'x', '--', '-b', '--help']\n"


def test_standard_input_goes_to_the_command(process: Callable[..., Any]) -> None:
    assert process(*RUN, "cat", given="from the pipe").stdout == "from the pipe"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--agent", "a"),
        ("run", "--agent", "a", "--metadata", "novalue", "--", "true"),
        ("run", "--agent", "a", "--metadata", "origin=here", "--", "true"),
        ("run", "--agent", "a", "--timeout", "soon", "--", "true"),
    ],
)
def test_wrong_usage_ends_with_2(process: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    result = process(*arguments)
    assert (result.returncode, result.stdout) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--timeout", "-1", "--", "true"), "must be a number of seconds"),
        (("--metadata", "asm=1", "--", "true"), "The metadata key 'asm' is reserved"),
        (("--tag", "", "--", "true"), "must not be empty"),
        (("--", ""), "command must begin with the name of a program"),
        (("--", b"\xff"), "lone surrogate"),
    ],
)
def test_a_run_that_cannot_be_recorded_is_not_begun(
    process: Callable[..., Any], arguments: tuple[str, ...], message: str
) -> None:
    result = process("run", "--agent", "a", *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_session_whose_recorder_was_killed_is_closed_by_the_next_run(
    start: Callable[..., Any], process: Callable[..., Any]
) -> None:
    with start(*PYTHON, READY_THEN_WAIT) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        child.kill()
        child.wait()
        os.killpg(pid, signal.SIGKILL)
    (left,) = json.loads(process("sessions", "--json").stdout)
    assert left["status"] == "active"
    result = process(*RUN, "true")
    assert f"Closed 1 sessions or runs whose recorder was killed: {left['id']}." in result.stderr
    assert process("health").stdout == "healthy\n"
    (found,) = json.loads(process("sessions", "--json", "--status", "failed").stdout)
    assert found["id"] == left["id"]


def test_the_main_job(process: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("answer = 42\n")
    assert process(*RUN, sys.executable, "-m", "compileall", "-q", ".").returncode == 0
    (session,) = json.loads(process("sessions", "--json").stdout)
    assert (session["status"], session["agent_id"]) == ("completed", "builder")
    assert "run_completed" in process("show", session["id"][:10]).stdout
    assert process("export", session["id"], "-o", "x.jsonl").returncode == 0
    assert process("import", "x.jsonl", "--url", "sqlite:///other.db").returncode == 0
    there = process("show", session["id"], "--json", "--url", "sqlite:///other.db").stdout
    assert there == process("show", session["id"], "--json").stdout
