"""A real agent with a scripted model, and what a user sees of it."""

from __future__ import annotations

import asyncio
import io
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bare import output_of
from google.adk import Runner
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.genai import types
from programs import KEY, ask
from scripted import agent, text

import asm_core
from asm_core.transfer import dump_session, load_session
from google_adk_asm import AsmSessionService

if TYPE_CHECKING:
    from asm_core import Backend

PROGRAM = Path(__file__).with_name("programs.py")
STORED = "adk:app:ada:s"


run = partial(output_of, limit=240)


@pytest.fixture
def two_turns(backend: Backend, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run an agent twice, and return its answers."""

    async def main() -> list[str]:
        answers = []
        for question in ("first", "second"):
            await ask(AsmSessionService(backend), question)
            answers.append(json.loads(capsys.readouterr().out)["output"])
        return answers

    return asyncio.run(main())


@pytest.mark.timeout(300)
def test_second_process_has_the_history(backend: Backend, store_url: str) -> None:
    assert backend.name == "sqlmodel"
    first, second = map(json.loads, run(str(PROGRAM), "ask_in_processes", store_url, "first", "second").splitlines())
    assert first == {"output": "answer to first", "input": [{"text": "first"}]}
    assert [next(iter(part)) for part in second["input"]] == [
        "text",
        "function_call",
        "function_response",
        "text",
        "text",
    ]
    assert second["input"][3]["text"] == "answer to first"
    assert second["input"][4]["text"] == "second"


@pytest.mark.timeout(300)
def test_commands_show_what_the_framework_stored(two_turns: list[str], store_url: str) -> None:
    assert two_turns == ["answer to first", "answer to second"]

    def asm(*arguments: str) -> Any:
        return json.loads(run("-m", "asm_core", "--backend", "sqlmodel", "--url", store_url, *arguments, "--json"))

    (session,) = asm("sessions")
    assert (session["id"], session["agent_id"], session["user_id"], session["title"]) == (STORED, "app", "ada", "first")
    usage = json.dumps(asm("usage"))
    assert "gemini-2.5-pro" in usage
    assert "400" in usage  # two runs of two requests of 100 tokens
    shown = json.dumps(asm("show", STORED))
    assert "answer to second" in shown
    assert "sunny in Oslo" in shown


def test_log_is_a_conversation(two_turns: list[str], backend: Backend) -> None:
    assert len(two_turns) == 2
    events = backend.session_store.get_events(STORED)
    assert [event.type for event in events[:4]] == [
        "message_sent",
        "tool_call_started",
        "tool_call_completed",
        "message_received",
    ]
    assert events[0].data == {"role": "user", "content": "first"}
    assert events[1].data == {"tool_call_id": "call_weather", "tool_name": "weather", "tool_input": {"city": "Oslo"}}
    assert events[2].data["tool_output"] == {"weather": "sunny in Oslo"}
    assert events[3].data == {"role": "assistant", "content": "answer to first"}
    assert not [event.id for event in events if "asm_warnings" in event.metadata]
    runs = backend.session_store.list_runs(STORED)
    assert [(run.status, run.turn_count, run.token_usage.total_tokens) for run in runs] == [("completed", 2, 230)] * 2
    assert {event.run_id for event in events} == {run.id for run in runs}


def test_state_of_the_tool_is_shared_and_temporary_state_is_not_stored(two_turns: list[str], backend: Backend) -> None:
    assert len(two_turns) == 2
    service = AsmSessionService(backend)
    other = asyncio.run(service.create_session(app_name="app", user_id="ada"))
    assert other.state == {"user:city": "Oslo"}
    assert not [event for event in backend.session_store.get_events(STORED) if "temp:" in json.dumps(event.metadata)]


def test_retention_and_erasure_work(two_turns: list[str], backend: Backend) -> None:
    assert len(two_turns) == 2
    service = AsmSessionService(backend)
    backend.maintenance.execute(asm_core.RetentionPolicy(max_events_per_session=3, exempt_statuses=()))
    pruned = asyncio.run(service.get_session(**KEY))
    assert pruned is not None
    assert 0 < len(pruned.events) <= 3
    asyncio.run(ask(service, "third"))
    assert asyncio.run(service.get_user_state(app_name="app", user_id="ada")) == {"city": "Oslo"}
    backend.maintenance.erase_user("ada")
    assert asyncio.run(service.get_session(**KEY)) is None
    assert asyncio.run(service.get_user_state(app_name="app", user_id="ada")) == {}


def test_exported_session_continues_elsewhere(two_turns: list[str], backend: Backend, tmp_path: Path) -> None:
    assert len(two_turns) == 2
    file = io.BytesIO()
    dump_session(backend, STORED, file)
    file.seek(0)
    with asm_core.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/other.db", migrate=True) as other:
        load_session(other, file)
        asyncio.run(ask(AsmSessionService(other), "third"))
        loaded = asyncio.run(AsmSessionService(other).get_session(**KEY))
    assert loaded is not None
    assert len(loaded.events) == 12


def test_partial_events_are_not_stored(backend: Backend) -> None:
    async def main() -> tuple[int, int]:
        service = AsmSessionService(backend)
        runner = Runner(app_name="app", agent=agent(text("a long answer")), session_service=service)
        await service.create_session(**KEY)
        message = types.Content(role="user", parts=[text("hello")])
        config = RunConfig(streaming_mode=StreamingMode.SSE)
        seen = [
            event
            async for event in runner.run_async(user_id="ada", session_id="s", new_message=message, run_config=config)
        ]
        session = await service.get_session(**KEY)
        assert session is not None
        return len([event for event in seen if event.partial]), len(session.events)

    assert asyncio.run(main()) == (1, 2)


def test_a_model_that_fails_ends_its_run(backend: Backend) -> None:
    with pytest.raises(IndexError):
        asyncio.run(ask_nothing(AsmSessionService(backend)))
    (found,) = backend.session_store.list_runs(STORED)
    assert (found.status, found.token_usage.total_tokens) == ("failed", 0)
    assert found.error is not None
    assert "error_occurred" in [event.type for event in backend.session_store.get_events(STORED)]


async def ask_nothing(service: AsmSessionService) -> None:
    runner = Runner(app_name="app", agent=agent(), session_service=service, auto_create_session=True)
    message = types.Content(role="user", parts=[text("hello")])
    async for _ in runner.run_async(user_id="ada", session_id="s", new_message=message):
        pass
