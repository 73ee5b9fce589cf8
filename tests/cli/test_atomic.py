"""An export that ends early leaves no partial file, and the next one removes what a killed one left."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from processes import Process

fcntl = pytest.importorskip("fcntl", reason="locks and signals of this kind are Unix's")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typer.testing import Result

    from asm_core.models import Session

EXPORT = """\
import signal, sys, time
from asm_core.cli import main
from asm_core.cli.parsing.store import Choice
from asm_core.memory import MemoryBackend
from asm_core.models import Session

backend = MemoryBackend()
session = backend.session_store.save_session(Session.new(agent_id="a", metadata={"text": "a" * 100_000}))


def wait(session_id):
    print("ready", flush=True)
    while True:
        time.sleep(0.01)  # one long wait can begin after the signal came, and would not end


backend.artifact_registry.list_by_session = wait
Choice.open = lambda self, **options: backend
if sys.argv[2:]:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
raise SystemExit(main(["export", session.id, "-o", sys.argv[1]]))
"""
ENOUGH = 60.0


@pytest.fixture
def exporting(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start an export in a process of its own that waits in the middle of its file."""
    started = []

    def start(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", EXPORT, str(tmp_path / "x.jsonl"), *options]
        child = Process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def parts(place: Path) -> list[Path]:
    return [one for one in place.iterdir() if one.name.endswith(".part")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_export_ended_by_a_signal_leaves_no_file(
    exporting: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    child = exporting()
    assert len(parts(tmp_path)) == 1
    child.send_signal(number)
    assert child.communicate() == ("", "")
    assert child.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_is_ignored_stays_ignored(
    exporting: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    child = exporting("ignore SIGHUP")
    child.send_signal(signal.SIGHUP)
    child.send_signal(signal.SIGTERM)
    child.communicate()
    assert child.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_the_next_export_of_the_name_removes_what_a_killed_one_left(
    exporting: Callable[..., subprocess.Popen[str]],
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    tmp_path: Path,
) -> None:
    killed = exporting()
    killed.kill()
    killed.communicate()
    assert len(parts(tmp_path)) == 1
    session = fill()
    asm("export", session.id, "-o", str(tmp_path / "other.jsonl"))
    assert len(parts(tmp_path)) == 1
    asm("export", session.id, "-o", str(tmp_path / "x.jsonl"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["other.jsonl", "x.jsonl"]


def test_the_partial_file_of_an_export_that_runs_is_left_alone(
    exporting: Callable[..., subprocess.Popen[str]],
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    tmp_path: Path,
) -> None:
    exporting()
    (alive,) = parts(tmp_path)
    assert asm("export", fill().id, "-o", str(tmp_path / "x.jsonl")).exit_code == 0
    assert parts(tmp_path) == [alive]


@pytest.mark.parametrize("name", [".x.jsonl.0123456789abcdef.part", ".x.jsonl.part", "x.jsonl.0123456789abcdef.part"])
def test_a_foreign_file_is_left_alone(
    asm: Callable[..., Result], fill: Callable[..., Session], tmp_path: Path, name: str
) -> None:
    foreign = tmp_path / name
    foreign.write_text("precious")
    (tmp_path / ".x.jsonl.fedcba9876543210.part").symlink_to(foreign)
    (tmp_path / ".x.jsonl.0000000000000000.part").mkdir()
    assert asm("export", fill().id, "-o", str(tmp_path / "x.jsonl")).exit_code == 0
    assert foreign.read_text() == "precious"
    assert len(parts(tmp_path)) == 3


def test_a_partial_file_that_was_never_written_to_is_removed(
    asm: Callable[..., Result], fill: Callable[..., Session], tmp_path: Path
) -> None:
    (tmp_path / ".x.jsonl.0123456789abcdef.part").touch()
    asm("export", fill().id, "-o", str(tmp_path / "x.jsonl"))
    assert [one.name for one in tmp_path.iterdir()] == ["x.jsonl"]
