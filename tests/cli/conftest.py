"""The command line, called in this process on a store in memory, or as a process of its own on a real one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from processes import completer, starter
from typer.testing import CliRunner

from asm_core.cli.parsing.store import Choice
from asm_core.cli.program import app
from asm_core.memory import MemoryBackend
from asm_core.models import Event, Run, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes import Complete, Start
    from typer.testing import Result

    from asm_core.ports import Backend


_OF_THE_END = ("status", "output", "error", "started_at", "ended_at")


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
def start(tmp_path: Path, environment: dict[str, str]) -> Start:
    """Start a command as a process of its own."""
    return starter((sys.executable, "-m", "asm_core"), tmp_path, environment)


@pytest.fixture
def process(start: Start) -> Complete:
    """Run a command as a process of its own to its end."""
    return completer(start)


@pytest.fixture
def fill(backend: Backend) -> Callable[..., Session]:
    """Store a session with one run and some events."""

    def store(events: int = 3, *, run: dict[str, Any] | None = None, **fields: Any) -> Session:
        session = backend.session_store.save_session(Session.new(**{"agent_id": "agent", "status": "active", **fields}))
        ended = {name: value for name, value in (run or {}).items() if name in _OF_THE_END}
        begun = {name: value for name, value in (run or {}).items() if name not in _OF_THE_END}
        made = msgspec.structs.replace(Run.new(session_id=session.id, **{"provider": "p", **begun}), **ended)
        stored = backend.session_store.save_run(made)
        backend.session_store.append_events(
            Event.new(type="message_streamed", session_id=session.id, run_id=stored.id, data={"text": f"line {number}"})
            for number in range(1, events + 1)
        )
        return session

    return store
