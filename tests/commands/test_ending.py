"""What is left of a command when its run has ended: nothing, and what it left behind on purpose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import Process, ended
from running import ENOUGH, Execution

from asm_core import Run, Session, StorageError
from asm_core.commands import CommandProvider, child, group
from asm_core.commands.group import is_alive, send_signal

if TYPE_CHECKING:
    from collections.abc import Iterator


def cancel(done: Execution, _data: dict[str, Any]) -> None:
    done.cancel()


def cancel_once(done: Execution, _data: dict[str, Any]) -> None:
    if not done.cancellers:
        done.cancel()


def soon_gone(group: int) -> bool:
    """Return whether a killed group has ended, after its orphans were reaped by the process that adopted them."""
    deadline = time.monotonic() + ENOUGH
    while is_alive(group) and time.monotonic() < deadline:
        time.sleep(0.001)
    return not is_alive(group)


def group_of(done: Execution) -> int:
    """Return the group of a command that said its number first."""
    return int(done.lines()[0]["delta"])


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = open_files(), threading.active_count()
    yield
    assert (open_files(), threading.active_count()) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("argv", [["true"], ["sh", "-c", "echo x; exit 3"], ["no-such-program"], ["/etc/passwd"]])
@pytest.mark.parametrize("tty", [False, True])
def test_nothing_is_left(argv: list[str], *, tty: bool) -> None:
    Execution(*argv, tty=tty)


def test_nothing_is_left_if_the_directory_of_a_command_with_a_terminal_is_missing() -> None:
    done = Execution("true", cwd="/no/such/directory", tty=True)
    assert done.facts["exit_code"] == 126


def test_cancelling_ends_all_that_runs_in_a_terminal() -> None:
    done = Execution("sh", "-mc", "sleep 1000 & echo $$; fg", on_line=cancel_once, tty=True)
    assert done.facts["exit_code"] == 128 + signal.SIGHUP
    assert soon_gone(int(done.output("terminal").split()[0]))


def test_cancelling_ends_it() -> None:
    done = Execution("sh", "-c", "echo $$; exec sleep 1000", on_line=cancel)
    assert (done.facts["exit_code"], done.facts["signal"]) == (143, 15)
    assert "was cancelled" in str(done.error)
    assert done.kinds[-1] == "tool_call_failed"


def test_cancelling_ends_all_that_it_started() -> None:
    done = Execution("sh", "-c", "sleep 1000 & sleep 1000 >/dev/null 2>&1 & echo $$; wait", on_line=cancel)
    assert soon_gone(group_of(done))


def test_output_at_the_end_is_recorded() -> None:
    script = "trap 'echo bye; exit 0' TERM; echo $$; sleep 1000 & wait"
    done = Execution("sh", "-c", script, on_line=cancel_once)
    assert lines(done)[1:] == ["bye"]
    assert done.error is not None


def test_what_does_not_listen_is_killed_after_the_grace() -> None:
    script = "trap '' TERM; echo $$; while :; do sleep 0.01; done"
    done = Execution("sh", "-c", script, on_line=cancel, provider=CommandProvider(grace=0.1))
    assert done.facts["exit_code"] == 137
    assert soon_gone(group_of(done))


def test_a_stopped_one_is_killed_too() -> None:
    def cancel_when_stopped(done: Execution, data: dict[str, Any]) -> None:
        while ") T " not in Path(f"/proc/{data['delta'].strip()}/stat").read_text():
            pass
        done.cancel()

    provider = CommandProvider(grace=0.1)
    done = Execution("sh", "-c", "echo $$; kill -STOP $$", on_line=cancel_when_stopped, provider=provider)
    assert done.facts["exit_code"] == 137


def test_cancelling_twice_is_no_different() -> None:
    def twice(done: Execution, data: dict[str, Any]) -> None:
        cancel(done, data)
        cancel(done, data)

    done = Execution("sh", "-c", "echo $$; exec sleep 1000", on_line=twice)
    assert done.facts["exit_code"] == 143


def test_cancelling_what_is_not_executed_is_a_no_op() -> None:
    CommandProvider().cancel("run_x")


def test_a_background_process_does_not_prevent_the_end_of_the_run() -> None:
    done = Execution("sh", "-c", "echo $$; echo last; sleep 1000 &")
    group = group_of(done)
    try:
        assert done.facts["exit_code"] == 0
        assert is_alive(group)
        assert lines(done)[1] == "last"
    finally:
        os.killpg(group, signal.SIGKILL)


def test_not_even_if_that_goes_on_writing() -> None:
    done = Execution("sh", "-c", "echo $$; yes & exit 0")
    assert done.facts["exit_code"] == 0
    while is_alive(group_of(done)):  # it ends by itself, as nobody reads what it writes
        pass


def test_one_that_closes_its_output_and_runs_on_is_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_text, args=("x\n",))
    writer.start()
    done = Execution("sh", "-c", 'exec >/dev/null 2>&1; read x <"$1"; exit 3', "sh", str(fifo))
    writer.join(ENOUGH)
    assert done.facts["exit_code"] == 3


def test_it_is_ended_when_events_cannot_be_stored() -> None:
    groups = []

    def emit(kind: str, data: Any) -> None:
        if kind == "message_streamed":
            groups.append(int(data["delta"]))
            raise StorageError

    session = Session.new(agent_id="a")
    run = Run.new(session_id=session.id, input={"command": ["sh", "-c", "echo $$; exec sleep 1000"]})
    with pytest.raises(StorageError):
        CommandProvider().execute(run, session, emit)
    assert soon_gone(groups[0])


def test_a_command_that_cannot_be_ended_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "send_signal", lambda *_: False)
    monkeypatch.setattr(child, "REAP_SECONDS", 0.1)
    done = Execution("sh", "-c", "echo $$; exec sleep 1000", on_line=cancel)
    assert done.facts["exit_code"] is None
    assert "is still running" in str(done.error)
    monkeypatch.undo()
    assert send_signal(group_of(done), signal.SIGKILL)
    assert soon_gone(group_of(done))


REPORTS = """
import signal, sys
expected = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, expected)
print("ready", flush=True)
for _ in range(int(sys.argv[1])):
    print(signal.Signals(signal.sigwait(expected)).name, flush=True)
"""
"""A program that names each signal it gets, and ends after so many.

It blocks the signals and takes them one by one: a handler can run just before `signal.pause`, which then waits for a
signal that has already come.
"""


def interrupted(number: int, *, times: int) -> Execution:
    """Run a program that ends after so many signals, and interrupt it after each line that it prints before."""

    def interrupt(done: Execution, _data: dict[str, Any]) -> None:
        if len(done.lines()) <= times:
            done.provider.interrupt(number)

    return Execution(sys.executable, "-c", REPORTS, str(times), on_line=interrupt)


def lines(done: Execution) -> list[str]:
    return [item["delta"].removesuffix("\n") for item in done.lines()]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_an_interruption_reaches_the_command_once_as_it_came(name: str) -> None:
    done = interrupted(signal.Signals[name], times=1)
    assert lines(done) == ["ready", name]


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_second_interruption_is_sigterm(name: str) -> None:
    assert lines(interrupted(signal.Signals[name], times=2)) == ["ready", name, "SIGTERM"]


@pytest.mark.parametrize(("name", "before"), [("SIGINT", ["SIGINT", "SIGTERM"]), ("SIGTERM", ["SIGTERM"])])
def test_the_last_interruption_is_sigkill(name: str, before: list[str]) -> None:
    done = interrupted(signal.Signals[name], times=10)
    assert (lines(done), done.facts["exit_code"]) == (["ready", *before], 137)


def test_an_interrupted_command_is_cancelled_with_any_exit_status() -> None:
    done = interrupted(signal.SIGINT, times=1)
    assert (done.facts["exit_code"], done.facts["cancelled"]) == (0, True)


def test_a_command_that_ignores_an_interruption_is_ended_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "INTERRUPT_GRACE", 0.1)
    script = "trap '' INT TERM; echo $$; while :; do sleep 0.01; done"
    done = Execution(
        "sh",
        "-c",
        script,
        provider=CommandProvider(grace=0.1),
        on_line=lambda done, _data: done.provider.interrupt(signal.SIGINT),
    )
    assert done.facts["exit_code"] == 137


def test_background_processes_of_an_interrupted_command_are_ended() -> None:
    # A shell without a terminal starts what runs in its background with SIGINT ignored.
    done = Execution(
        "sh",
        "-c",
        "sleep 1000 >/dev/null 2>&1 & echo $$; wait",
        provider=CommandProvider(grace=0.1),
        on_line=lambda done, _data: done.provider.interrupt(signal.SIGINT),
    )
    assert soon_gone(group_of(done))


def test_no_command_is_started_after_an_interruption() -> None:
    provider = CommandProvider()
    provider.interrupt(signal.SIGTERM)
    done = Execution("true", provider=provider)
    assert (done.kinds, done.facts) == ([], {"cancelled": True})


def test_a_signal_that_is_passed_on_ends_nothing() -> None:
    def pass_on(done: Execution, data: dict[str, Any]) -> None:
        if data["delta"] == "ready\n":
            done.provider.pass_on(signal.SIGUSR1)

    done = Execution(sys.executable, "-c", REPORTS, "1", on_line=pass_on)
    assert (lines(done), done.facts["exit_code"], done.error) == (["ready", "SIGUSR1"], 0, None)


def test_a_zombie_is_not_alive() -> None:
    first = Process(["/bin/cat"], stdin=subprocess.PIPE, process_group=0)
    second = Process(["/bin/true"], process_group=first.pid)
    os.waitid(os.P_PID, second.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(first.pid)
    first.communicate()
    assert not is_alive(first.pid)
    second.wait()


def test_commands_can_run_at_once() -> None:
    provider, done = CommandProvider(), []
    program = [sys.executable, "-c", "for i in range(1000): print(i)"]
    threads = [threading.Thread(target=lambda: done.append(Execution(*program, provider=provider))) for _ in range(4)]
    for thread in threads:
        thread.start()
    ended(*threads)
    assert [one.facts["stdout_lines"] for one in done] == [1000] * 4
