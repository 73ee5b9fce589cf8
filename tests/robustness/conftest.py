"""The installed command ``asm``, as a user calls it, on a SQLite file of its own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import completer, starter
from typer.testing import CliRunner

from asm_core.cli.program import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from processes import Complete, Start
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
def start(tmp_path: Path, environment: dict[str, str]) -> Start:
    """Start the installed command."""
    return starter((ASM,), tmp_path, environment)


@pytest.fixture
def asm(start: Start) -> Complete:
    """Run the installed command to its end."""
    return completer(start)


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
