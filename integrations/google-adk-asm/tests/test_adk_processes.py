"""Sessions that several processes write, and processes that are killed."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bare import PYTHON
from programs import KEY

from google_adk_asm import AsmSessionService

if TYPE_CHECKING:
    from asm_core import Backend

pytestmark = pytest.mark.timeout(300)
PROGRAM = str(Path(__file__).with_name("programs.py"))


def test_eight_processes_append_at_once(backend: Backend, store_url: str) -> None:
    service = AsmSessionService(backend)
    asyncio.run(service.create_session(**KEY))
    subprocess.run([PYTHON, PROGRAM, "append_in_processes", store_url, "8", "3"], check=True, timeout=240)
    found = asyncio.run(service.get_session(**KEY))
    assert found is not None
    # Each event was appended by a process that had seen all events before it.
    assert [event.actions.state_delta["n"] for event in found.events] == [*range(1, 25)]
    assert {event.id for event in found.events} == {f"{name}/{number}" for name in range(8) for number in range(3)}
    assert {key: found.state[key] for key in found.state if key.startswith("app:")} == {
        f"app:{name}": 2 for name in range(8)
    }
    assert (found.state["n"], found.state["user:last"]) == (24, found.events[-1].actions.state_delta["user:last"])


def test_a_killed_process_leaves_whole_events(backend: Backend, store_url: str) -> None:
    service = AsmSessionService(backend)
    asyncio.run(service.create_session(**KEY))
    command = [PYTHON, PROGRAM, "endless", store_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = 0
        for line in process.stdout:
            told = int(line)
            if told == 30:
                process.kill()
    found = asyncio.run(service.get_session(**KEY))
    assert found is not None
    count = len(found.events)
    assert count in {told, told + 1}
    assert found.state == {"n": count, "app:n": count, "user:n": count}
    (run,) = backend.session_store.list_runs("adk:app:ada:s")
    assert run.turn_count == 0
