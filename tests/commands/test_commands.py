from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import LIMIT
from running import Execution

from asm_core import ProviderError, Run, Session, ValidationError
from asm_core.commands import Command, CommandProvider
from asm_core.commands.lines import PART_BYTES

STREAMED = "message_streamed"


def test_a_command_is_recorded_from_its_start_to_its_end() -> None:
    done = Execution("sh", "-c", "echo one; echo two")
    assert done.kinds == ["tool_call_started", STREAMED, STREAMED, "tool_call_completed"]
    assert done.said[0][1]["tool_input"] == {"command": ["sh", "-c", "echo one; echo two"]}


def test_streams_are_distinguished() -> None:
    done = Execution("sh", "-c", "echo out; echo err >&2")
    assert (done.output("stdout"), done.output("stderr")) == (b"out\n", b"err\n")


def test_the_output_of_a_run_is_what_can_be_counted() -> None:
    facts = dict(Execution("sh", "-c", "printf 'a\\nb'; echo err >&2").facts)
    assert facts.pop("duration_ms") > 0
    assert facts == {"exit_code": 0, "stdout_lines": 2, "stdout_bytes": 3, "stderr_lines": 1, "stderr_bytes": 4}


def test_the_last_event_has_the_same_data() -> None:
    done = Execution("true")
    assert done.said[-1] == (
        "tool_call_completed",
        {"tool_call_id": done.run.id, "tool_name": "command", "tool_output": done.facts},
    )


@pytest.mark.parametrize(
    ("argv", "exit_code"),
    [
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["no-such-program"], 127),
        (["/no/such/program"], 127),
        (["/"], 126),
        (["/etc/passwd"], 126),
    ],
)
def test_failures_have_the_statuses_of_a_shell(argv: list[str], exit_code: int) -> None:
    done = Execution(*argv)
    assert done.error is not None
    assert done.error.details["exit_code"] == exit_code
    assert done.kinds == ["tool_call_started", "tool_call_failed"]
    assert done.said[-1][1]["tool_output"]["exit_code"] == exit_code


def test_a_script_without_an_interpreter_cannot_be_executed(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hello\n")
    script.chmod(0o755)
    assert Execution(str(script)).facts["exit_code"] == 126


def test_a_missing_directory_is_not_a_missing_program() -> None:
    assert Execution("true", cwd="/no/such/directory").facts["exit_code"] == 126


def test_it_runs_in_its_directory(tmp_path: Path) -> None:
    assert Execution("pwd", cwd=str(tmp_path)).output() == f"{tmp_path}\n".encode()


def test_variables_are_laid_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASM_ONE", "1")
    monkeypatch.setenv("ASM_TWO", "2")
    assert Execution("sh", "-c", "echo $ASM_ONE $ASM_TWO", env={"ASM_TWO": "two"}).output() == b"1 two\n"


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"command": []},
        {"command": "ls"},
        {"command": [1]},
        {"command": [""]},
        {"command": ["a\0b"]},
        {"command": ["a"], "cwd": 1},
        {"command": ["a"], "cwd": "\0"},
        {"command": ["a"], "env": {"a=b": "c"}},
        {"command": ["a"], "env": {"": "c"}},
        {"command": ["a"], "env": {"a": 1}},
        {"command": ["a"], "merge": 1},
        {"command": ["a"], "tty": "yes"},
        {"command": ["a"], "shell": True},
    ],
)
def test_an_input_that_describes_no_command_is_refused(value: dict[str, Any] | None) -> None:
    session = Session.new(agent_id="a")
    with pytest.raises(ValidationError):
        CommandProvider().execute(Run.new(session_id=session.id, input=value), session, lambda *_: None)


@pytest.mark.parametrize(
    "value", [{"command": ["a", "b"]}, {"command": ["a"], "cwd": "/", "env": {"x": "y"}, "merge": True, "tty": True}]
)
def test_a_command_gives_back_its_input(value: dict[str, Any]) -> None:
    assert Command.from_input(value).to_input() == value


BLOCKS = st.sampled_from([b"\n", b"\0", b"\xff\n", "ü€".encode(), b"text\n" * 1000, b"x" * 70_000, b"\r\n", b""])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=5_000), st.lists(BLOCKS).map(b"".join)))
def test_any_output_is_recorded_to_the_byte(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data"
    path.write_bytes(data)
    done = Execution("sh", "-c", 'cat "$1"; cat "$1" >&2', "sh", str(path))
    assert (done.output("stdout"), done.output("stderr")) == (data, data)


def test_a_line_of_ten_megabytes_is_recorded_in_parts() -> None:
    program = "import sys; sys.stdout.write('0123456789' * 1_000_000 + '\\n')"
    done = Execution(sys.executable, "-c", program)
    assert done.output() == b"0123456789" * 1_000_000 + b"\n"
    assert [len(item["delta"]) for item in done.lines()][:-1] == [PART_BYTES] * (10_000_000 // PART_BYTES)
    assert done.facts["stdout_lines"] == 1


def test_a_line_comes_while_the_command_runs(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    done = Execution("sh", "-c", 'echo hello; read x <"$1"; echo "$x"', "sh", str(fifo), on_line=answer(fifo))
    assert done.output() == b"hello\nworld\n"


def answer(fifo: Path) -> Any:
    def on_line(_done: Execution, data: dict[str, Any]) -> None:
        if data["delta"] == "hello\n":
            fifo.write_text("world\n")

    return on_line


def test_a_burst_of_small_writes_is_handed_over_in_few_pieces() -> None:
    class Pieces(list[int]):
        def __call__(self, _type: str, _data: Any) -> None:
            pass

        def many(self, _type: str, items: list[Any], _size: int) -> None:
            self.append(len(items))

    session, pieces = Session.new(agent_id="a"), Pieces()
    command = [sys.executable, "-u", "-c", "for i in range(5000): print(i)"]
    CommandProvider().execute(Run.new(session_id=session.id, input={"command": command}), session, pieces)
    assert sum(pieces) == 5_000
    assert len(pieces) < 1_000


RUNS_CAT = """
from running import Execution
print(Execution("cat").output())
"""


def run_cat(**stdin: Any) -> str:
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", RUNS_CAT], cwd=here, capture_output=True, text=True, check=True, **stdin, timeout=LIMIT
    )
    return done.stdout


def test_its_input_is_that_of_this_process() -> None:
    assert run_cat(input="hello") == "b'hello'\n"


def test_a_terminal_is_not_its_input() -> None:
    main, terminal = os.openpty()
    try:
        assert run_cat(stdin=terminal) == "b''\n"
    finally:
        os.close(main)
        os.close(terminal)


def test_no_input_at_all_is_an_empty_one() -> None:
    assert run_cat(preexec_fn=lambda: os.close(0)) == "b''\n"


def test_it_has_no_terminal_to_wait_for() -> None:
    program = "import os; os.open('/dev/tty', os.O_RDWR)"
    assert Execution(sys.executable, "-c", program).facts["exit_code"] == 1


def test_a_command_can_have_a_terminal() -> None:
    program = "import os; print(os.ttyname(0) == os.ttyname(2), os.get_terminal_size()); os.open('/dev/tty', os.O_RDWR)"
    done = Execution(sys.executable, "-c", program, tty=True)
    assert done.output("terminal") == b"True os.terminal_size(columns=80, lines=24)\r\n"
    assert done.said[0][1]["terminal"] == {"columns": 80, "rows": 24}
    assert done.facts["exit_code"] == 0


def test_the_input_of_a_terminal_without_a_console_is_empty() -> None:
    assert Execution("cat", tty=True).output("terminal") == b""


@pytest.mark.parametrize("variables", [{}, {"LC_CTYPE": "C"}, {"LC_ALL": "C"}, {"LANG": "C.UTF-8"}])
def test_a_terminal_does_not_change_the_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("LC_") or name == "LANG"]:
        monkeypatch.delenv(name)
    plain, terminal = (Execution("env", env=variables, tty=tty) for tty in (False, True))
    assert terminal.output("terminal").replace(b"\r\n", b"\n") == plain.output()


def test_a_terminal_does_not_change_what_is_ignored() -> None:
    program = ("sh", "-c", "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status")
    plain, terminal = Execution(*program), Execution(*program, tty=True)
    assert terminal.output("terminal").replace(b"\r\n", b"\n") == plain.output()


@pytest.mark.parametrize("variables", [{}, {"LC_ALL": "C"}])
def test_arguments_reach_a_command_with_a_terminal_unchanged(variables: dict[str, str]) -> None:
    done = Execution("printf", "%s-%s", "é€\u202e", "", tty=True, env=variables)
    assert done.output("terminal") == "é€\u202e-".encode()


@pytest.mark.parametrize("argv", [["no-such-program"], ["/"], ["/etc/passwd"], ["sh", "-c", "exit 3"], ["false"]])
def test_statuses_are_the_same_with_a_terminal(argv: list[str]) -> None:
    assert Execution(*argv, tty=True).facts["exit_code"] == Execution(*argv).facts["exit_code"]


def test_the_message_names_the_failed_command() -> None:
    with pytest.raises(ProviderError, match=r"^sh failed with exit status 3\.$"):
        raise Execution("sh", "-c", "exit 3").error or AssertionError
