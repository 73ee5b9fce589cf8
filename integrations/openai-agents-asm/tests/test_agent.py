"""A real agent with a scripted model, and what a user sees of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agents import Runner
from bare import output_of
from scripted import ScriptedModel, agent, call, message

import asm_core
from openai_agents_asm import AsmSession

if TYPE_CHECKING:
    from asm_core import Backend

PROGRAM = Path(__file__).with_name("second_process.py")
STORED = "openai-agents:user%3A1"


def run(*command: str) -> Any:
    return json.loads(output_of(*command, limit=60))


@pytest.fixture
def two_turns(backend: Backend) -> list[str]:
    """Run an agent twice, and return its answers."""

    async def main() -> list[str]:
        answers = []
        for text in ("first", "second"):
            model = ScriptedModel(call("weather", city="Oslo"), message(f"answer to {text}"))
            session = AsmSession("user:1", backend, user_id="ada", model="gpt-5")
            answers.append((await Runner.run(agent(model), text, session=session)).final_output)
        return answers

    return asyncio.run(main())


def asm(store_url: str, *arguments: str) -> Any:
    return run("-m", "asm_core", "--backend", "sqlmodel", "--url", store_url, *arguments, "--json")


def test_second_process_has_the_history(backend: Backend, store_url: str) -> None:
    assert backend.name == "sqlmodel"
    first, second = (run(str(PROGRAM), store_url, text) for text in ("first", "second"))
    assert first == {"output": "answer to first", "input": [{"content": "first", "role": "user"}]}
    kinds = [item.get("type") or item.get("role") for item in second["input"]]
    assert kinds == ["user", "function_call", "function_call_output", "message", "user"]
    assert second["input"][3]["content"][0]["text"] == "answer to first"


def test_commands_show_what_the_framework_stored(two_turns: list[str], store_url: str) -> None:
    assert len(two_turns) == 2
    (session,) = asm(store_url, "sessions")
    assert (session["id"], session["user_id"], session["title"]) == (STORED, "ada", "first")
    usage = asm(store_url, "usage")
    assert json.dumps(usage).count('"gpt-5"') >= 1
    assert "400" in json.dumps(usage)  # two runs of two requests of 100 tokens


def test_log_is_a_conversation(two_turns: list[str], backend: Backend) -> None:
    assert len(two_turns) == 2
    events = backend.session_store.get_events(STORED)
    assert [event.type for event in events[:4]] == [
        "message_sent",
        "tool_call_started",
        "tool_call_completed",
        "message_received",
    ]
    assert events[1].data["tool_input"] == {"city": "Oslo"}
    assert (events[2].data["tool_name"], events[2].data["tool_output"]) == ("weather", "sunny in Oslo")
    assert events[3].data == {"role": "assistant", "content": "answer to first"}
    runs = backend.session_store.list_runs(STORED)
    assert [(run.status, run.turn_count, run.token_usage.total_tokens) for run in runs] == [("completed", 2, 220)] * 2
    assert {event.run_id for event in events} == {run.id for run in runs}


def test_retention_and_erasure_work(two_turns: list[str], backend: Backend) -> None:
    assert len(two_turns) == 2
    policy = asm_core.RetentionPolicy(max_events_per_session=3, exempt_statuses=())
    backend.maintenance.execute(policy)
    kept = asyncio.run(AsmSession("user:1", backend).get_items())
    assert 0 < len(kept) <= 3
    backend.maintenance.erase_user("ada")
    assert asyncio.run(AsmSession("user:1", backend).get_items()) == []


def test_export_has_the_exact_items(two_turns: list[str], backend: Backend) -> None:
    assert len(two_turns) == 2
    exported = backend.query_api.export_session(STORED)
    assert "answer to second" in json.dumps(exported.to_dict() if hasattr(exported, "to_dict") else str(exported))


def test_a_run_that_fails_before_its_model_answers_has_no_tokens(backend: Backend) -> None:
    with pytest.raises(IndexError):
        asyncio.run(Runner.run(agent(ScriptedModel()), "hello", session=AsmSession("s", backend)))
    (found,) = backend.session_store.list_runs("openai-agents:s")
    assert (found.status, found.token_usage.total_tokens) == ("running", 0)


def test_runs_at_the_same_time_count_their_own_tokens(backend: Backend) -> None:
    async def main() -> None:
        session = AsmSession("s", backend)
        models = [ScriptedModel(call("weather", city="Oslo"), message("done")), ScriptedModel(message("done"))]
        await asyncio.gather(*(Runner.run(agent(model), "hello", session=session) for model in models))

    asyncio.run(main())
    counted = sorted(run.token_usage.total_tokens for run in backend.session_store.list_runs("openai-agents:s"))
    assert counted == [110, 220]
