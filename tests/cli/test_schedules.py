"""The crontab line and the units of systemd in docs/cli.md are run as they stand, in another directory."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import LIMIT

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
PLACE = "/srv/agents"
BLOCKS = [block for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) if PLACE in block or "[Timer]" in block]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make a directory with a store, and with `asm` where the page has it."""
    program = tmp_path / ".venv" / "bin" / "asm"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m asm_core "$@"\n')
    program.chmod(0o755)
    asm.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/asm.db", migrate=True).close()
    return tmp_path


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command with an environment as cron has it: without settings, in another directory."""
    bare = {name: value for name, value in environment.items() if name in {"PATH", "HOME"}}

    def complete(*command: str, cwd: Path = tmp_path.parent) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=cwd, env=bare, capture_output=True, text=True, timeout=LIMIT, check=False)

    return complete


def units(place: Path) -> dict[str, str]:
    """Return the units by file name, for this directory."""
    texts = [block for block in BLOCKS if block.startswith("# ~/")]
    return {Path(text.splitlines()[0]).name: text.replace(PLACE, str(place)) for text in texts}


def test_the_line_of_the_crontab_maintains_the_store(place: Path, run: Callable[..., Any]) -> None:
    (line,) = [block for block in BLOCKS if block.startswith("15 3 ")]
    command = line.split(maxsplit=5)[5].replace(PLACE, str(place))
    done = run("/bin/sh", "-c", command)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((place / "maintain.log").read_text())["dry_run"] is False


def test_the_service_maintains_the_store(place: Path, run: Callable[..., Any]) -> None:
    settings = dict(line.split("=", 1) for line in units(place)["asm-maintain.service"].splitlines() if "=" in line)
    done = run(*shlex.split(settings["ExecStart"]), cwd=Path(settings["WorkingDirectory"]))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["dry_run"] is False


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(place: Path, run: Callable[..., Any]) -> None:
    files = units(place)
    assert set(files) == {"asm-maintain.service", "asm-maintain.timer"}
    for name, text in files.items():
        (place / name).write_text(text)
    done = run("systemd-analyze", "verify", "--man=no", *(str(place / name) for name in files))
    assert (done.returncode, done.stderr) == (0, "")
    calendar = re.search("OnCalendar=(.*)", files["asm-maintain.timer"])
    assert calendar is not None
    assert run("systemd-analyze", "calendar", calendar[1]).returncode == 0
