"""Wrong, odd and hostile use of the command line: a clear message, an exit status, and a store that is sound."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as library

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = ("run", "--agent", "a", "--")
PYTHON = (*RUN, sys.executable, "-c")


@pytest.fixture
def only(here: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    """Return the only session of the store."""

    def read() -> dict[str, Any]:
        (session,) = json.loads(here("sessions", "--json").stdout)
        found: dict[str, Any] = json.loads(here("show", session["id"], "--json").stdout)
        return found

    return read


def is_running(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_the_third_signal_kills_the_command_and_is_recorded(start: Any, only: Any, here: Any, until: Any) -> None:
    stubborn = (
        "import os, signal, time\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, lambda *_: print('no', flush=True))\n"
        "print(os.getpid(), flush=True)\n"
        "while True: time.sleep(1)"
    )
    with start(*PYTHON, stubborn) as process:
        pid = int(process.stdout.readline())
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
            assert process.stdout.readline() == "no\n"
        process.send_signal(signal.SIGHUP)
        err = process.stderr.read()
    assert process.returncode == 130
    assert ": cancelled, " in err
    assert "Traceback" not in err
    until(lambda: not is_running(pid))
    found = only()
    assert (found["session"]["status"], found["runs"][0]["status"]) == ("cancelled", "cancelled")
    assert here("health").stdout == "healthy\n"


def test_all_events_are_counted_after_the_reader_closed_the_output(start: Any, only: Any) -> None:
    with start(*RUN, "seq", "100000") as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 141
    assert f": failed, {only()['last_sequence']:,} events.\n" in err


def test_bytes_of_any_kind_go_through_recording_exporting_and_importing(
    asm: Any, here: Any, tmp_path: Path, only: Any
) -> None:
    chance = random.Random(5)  # noqa: S311  bytes, no secrets
    given = b"\0\r\n\xff\xfe\n\n" + chance.randbytes(50_000) + b"x" * 3_000_000 + b"\n" + "é🙂\x1b[31m".encode() * 9
    (tmp_path / "bytes").write_bytes(given)
    result = asm(*RUN, "cat", "bytes", text=False)
    assert (result.returncode, result.stdout) == (0, given)
    before = only()
    file, other = str(tmp_path / "x.jsonl"), ("--url", f"sqlite:///{tmp_path}/other.db")
    here("export", before["session"]["id"], "-o", file)
    assert here("import", file, *other).exit_code == 0
    assert json.loads(here("show", before["session"]["id"], "--json", *other).stdout) == before


def test_a_command_that_closes_its_output_is_waited_for(start: Any, only: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    with start(*RUN, "sh", "-c", "exec >&- 2>&-; read line < go; exit 3") as process:
        (tmp_path / "go").write_text("on\n")
        assert process.stdout.read() == ""
    assert process.returncode == 3
    assert only()["session"]["status"] == "failed"


def test_a_limit_beyond_all_numbers_is_no_limit(here: Any, asm: Any) -> None:
    asm(*RUN, "true")
    assert here("sessions", "--limit", "9" * 30).stdout.count("ses_") == 1
    assert here("tail", "ses_", "--lines", "9" * 30).stdout.count("\n") == 9


def test_a_background_process_neither_delays_the_run_nor_is_ended(
    asm: Any, only: Any, tmp_path: Path, until: Any
) -> None:
    os.mkfifo(tmp_path / "go")
    result = asm(*RUN, "sh", "-c", "cat go & echo $!")
    assert result.returncode == 0
    left = int(result.stdout)
    assert is_running(left)
    assert only()["session"]["status"] == "completed"
    (tmp_path / "go").write_text("")
    until(lambda: not is_running(left))


def test_a_directory_that_is_missing_is_named(asm: Any, tmp_path: Path) -> None:
    result = asm("run", "--agent", "a", "--cwd", "no\x1bwhere", "--", "true")
    assert result.returncode == 126
    place = tmp_path / r"no\x1bwhere"
    assert f"error: true could not be started: the directory {place} does not exist.\n" in result.stderr


@pytest.mark.parametrize("command", [("sessions",), ("sessions", "--json"), ("health",), (*RUN, "echo", "x")])
def test_a_full_disk_of_the_output_is_reported(asm: Any, here: Any, command: tuple[str, ...]) -> None:
    here("db", "upgrade")
    with Path("/dev/full").open("w") as full:
        result = asm(*command, stdout=full)
    assert result.returncode == 1
    assert "error: No space left on device" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_closed_standard_input_is_reported(asm: Any) -> None:
    result = asm("import", "-", stdin=None, preexec_fn=lambda: os.close(0))
    assert (result.returncode, result.stderr) == (1, "error: Standard input is closed.\n")


def test_an_agent_cannot_forge_lines_of_a_message(here: Any, url: str) -> None:
    with library.open_backend("sqlmodel", url=url, migrate=True) as backend:
        for name in ("a\nerror: forged", "b\x1b[2J"):
            backend.session_store.save_session(library.Session.new(agent_id=name))
    result = here("show", "ses_")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 3
    assert "\\nerror: forged" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "tool = 3",
        "[tool]\nasm = 3",
        "[tool.asm]\nurl = 3",
        "[tool.asm]\nbackend = []",
        "[tool.asm]\nreaders = 'many'",
        "[tool.asm]\nno_option = 1",
        "[tool.asm",
        "\0",
    ],
)
def test_an_invalid_configuration_is_reported(
    here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(text)
    result = here("sessions", "--url", "")
    assert result.exit_code in {1, 69}
    first, *rest = result.stderr.splitlines()
    assert first.startswith("error: ")
    assert all(line.startswith("  The URL ") for line in rest)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("show", ""),
        ("show", "ses_"),
        ("show", "%"),
        ("show", "ses_00000000000000000000000000000000"),
        ("show", "ses_ffffffffffff"),
        ("show", "\udcff"),
        ("tail", "nothing", "--follow"),
        ("tail", "nothing", "--type", "gossip"),
        ("sessions", "--limit", "0"),
        ("sessions", "--status", "happy"),
        ("sessions", "--since", "soon"),
        ("sessions", "--since", "9" * 30 + "d"),
        ("sessions", "--tag", ""),
        ("sessions", "--no-such"),
        ("sessions", "too", "many"),
        ("no-such-command",),
        ("export", "nothing", "-o", "x"),
        ("import", "."),
        ("import", "/dev/null"),
        ("usage", "--since", "-1d"),
        ("db", "upgrade", "--to", "99"),
        ("db", "upgrade", "--to", "-1"),
        ("db", "downgrade", "--to", "99"),
        ("db", "sql", "--dialect", "oracle"),
        ("db", "sql", "--from", "99"),
        ("maintain", "--policy", "nothing"),
        ("maintain", "--policy", "."),
        ("--store", "nothing", "sessions"),
        ("--backend", "nothing", "sessions"),
        ("--url", "nonsense", "sessions"),
        ("--url", "sqlite:////dev/null", "sessions"),
        ("--url", "sqlite:///.", "sessions"),
    ],
)
def test_a_wrong_use_raises_and_changes_nothing(
    here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    here("db", "upgrade")
    before = sorted(path.name for path in tmp_path.iterdir())
    result = here(*arguments)
    assert result.exit_code in {1, 2, 69}
    assert result.stdout == ""
    assert ("error: " if result.exit_code != 2 else "Error: ") in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert here("health").stdout == "healthy\n"
