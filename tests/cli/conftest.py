"""The command line, called in this process on a store in memory, or as a process of its own on a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from asm_core.cli.program import app
from asm_core.cli.store import Choice
from asm_core.memory import MemoryBackend
from asm_core.models import Event, Run, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from asm_core.ports import Backend


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Let commands called in this process work on a store in memory."""
    opened = MemoryBackend()
    monkeypatch.setattr(Choice, "open", lambda _self, **_options: opened)
    return opened


@pytest.fixture
def asm() -> Callable[..., Result]:
    """Call a command in this process."""

    def call(*arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(app, arguments, input=given, catch_exceptions=False)

    return call


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables for a process that works on a store of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASM_")}
    return {**clean, "ASM_URL": f"sqlite:///{tmp_path}/asm.db"}


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Callable[..., subprocess.Popen[str]]:
    """Start a command as a process of its own."""

    def begin(*arguments: str, **options: Any) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        command = [sys.executable, "-m", "asm_core", *arguments]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, **{"text": True, **pipes})

    return begin


@pytest.fixture
def process(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command as a process of its own to its end."""

    def complete(*arguments: str, given: Any = None, **options: Any) -> subprocess.CompletedProcess[str]:
        if given is not None:
            options["stdin"] = subprocess.PIPE
        with start(*arguments, **options) as child:
            out, err = child.communicate(given)
        return subprocess.CompletedProcess(arguments, child.returncode, out, err)

    return complete


@pytest.fixture
def fill(backend: Backend) -> Callable[..., Session]:
    """Store a session with one run and some events."""

    def store(events: int = 3, *, run: dict[str, Any] | None = None, **fields: Any) -> Session:
        session = Session.new(**{"agent_id": "agent", "status": "active", **fields})
        backend.session_store.save_session(session)
        stored = backend.session_store.save_run(Run.new(session_id=session.id, **{"provider": "p", **(run or {})}))
        backend.session_store.append_events(
            Event.new(type="message_streamed", session_id=session.id, run_id=stored.id, data={"text": f"line {number}"})
            for number in range(1, events + 1)
        )
        return session

    return store
