"""The installed command ``asm``, as a user calls it, on a SQLite file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from asm_core.cli.program import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

ASM = str(Path(sys.executable).with_name("asm"))
ENOUGH = 60.0
"""Seconds after which something that should happen counts as not happening."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/asm.db"


@pytest.fixture
def environment(url: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASM_")}
    return {**clean, "ASM_URL": url}


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Callable[..., subprocess.Popen[str]]:
    """Start the installed command."""

    def begin(*arguments: str, program: tuple[str, ...] = (ASM,), **options: Any) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen((*program, *arguments), cwd=tmp_path, env=environment, **{"text": True, **pipes})

    return begin


@pytest.fixture
def asm(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the installed command to its end."""

    def complete(*arguments: str, given: Any = None, **options: Any) -> subprocess.CompletedProcess[str]:
        if given is not None:
            options["stdin"] = subprocess.PIPE
        with start(*arguments, **options) as child:
            out, err = child.communicate(given)
        return subprocess.CompletedProcess(arguments, child.returncode, out, err)

    return complete


@pytest.fixture
def here(environment: dict[str, str]) -> Callable[..., Result]:
    """Call a command in this process, which spares the half second that a new one takes to start."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environment, catch_exceptions=False)

    return call


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Wait until a question is answered with something true, and return that."""

    def wait(question: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + ENOUGH
        while not (answer := question()):
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.005)
        return answer

    return wait
