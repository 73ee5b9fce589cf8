"""Whatever the framework hands over comes back."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from google.adk.events import Event, EventActions
from google.adk.tools.tool_confirmation import ToolConfirmation
from google.genai import types
from scripted import call, text

from google_adk_asm import AsmSessionService
from google_adk_asm.keys import Key, name_of

if TYPE_CHECKING:
    from asm_core import Backend

pytestmark = pytest.mark.asyncio
NOW = dt.datetime(2026, 5, 6, 7, 8, 9, 123456, dt.UTC)


async def stored(backend: Backend, event: Event, state: dict[str, Any] | None = None) -> tuple[Event, dict[str, Any]]:
    """Return an event and the state of its session as another service reads them."""
    service = AsmSessionService(backend)
    session = await service.create_session(app_name="a", user_id="u", session_id="s", state=state)
    await service.append_event(session, event)
    found = await AsmSessionService(backend).get_session(app_name="a", user_id="u", session_id="s")
    assert found is not None
    return found.events[0], found.state


@pytest.mark.parametrize(
    "value",
    ["\ud800 lone", float("inf"), b"\x00\xff", 10**400, -(2**63), "\0", {"asm_parts": [1]}, NOW, 0.1 + 0.2],
    ids=["surrogate", "infinity", "bytes", "integer", "64 bits", "nul", "own keys", "time", "float"],
)
async def test_values_that_payloads_refuse_come_back_equal(backend: Backend, value: Any) -> None:
    words = value if isinstance(value, str) else "\udfff\0"
    result = types.FunctionResponse(id=words, name=words, response={"x": [value]})
    event = Event(
        author=words,
        invocation_id=words,
        id=words,
        content=types.Content(
            role="model", parts=[text(words), call(words, x=value), types.Part(function_response=result)]
        ),
        actions=EventActions(
            state_delta={words: value, "app:x": value, f"user:{words}": {words: value}}, agent_state={"x": value}
        ),
        custom_metadata={"x": value},
        output=[value],
        error_code=words,
        error_message=words,
        model_version=words,
        branch=words,
        long_running_tool_ids={words, "b"},
    )
    found, state = await stored(backend, event, {f"y{words}": value, "app:y": value})
    assert found == event
    assert state == {
        words: value,
        "app:x": value,
        f"user:{words}": {words: value},
        f"y{words}": value,
        "app:y": value,
    }


async def test_nan_and_a_thousand_levels_come_back(backend: Backend) -> None:
    deep: Any = "core"
    for _ in range(1_000):
        deep = [deep]
    delta = {"deep": deep, "app:deep": deep, "user:nan": float("nan")}
    found, state = await stored(backend, Event(author="agent", actions=EventActions(state_delta=delta)))
    for value in (found.actions.state_delta["deep"], state["deep"], state["app:deep"]):
        levels = 0
        while isinstance(value, list):
            value, levels = value[0], levels + 1  # noqa: PLW2901
        assert (value, levels) == ("core", 1_000)
    assert state["user:nan"] != state["user:nan"]


@dataclasses.dataclass
class Point:
    x: int


def function() -> None:
    """Do nothing."""


async def test_other_objects_are_kept_as_the_framework_keeps_them(backend: Backend) -> None:
    delta = {
        "set": {1},
        "tuple": (1, 2),
        "part": text("t"),
        "point": Point(1),
        "f": function,
        "kind": types.FinishReason.STOP,
    }
    found, state = await stored(backend, Event(author="agent", actions=EventActions(state_delta=dict(delta))))
    assert found.actions.state_delta["part"] == {"text": "t"}
    assert state.keys() == found.actions.state_delta.keys()
    assert (state["set"], state["tuple"], state["point"], state["kind"]) == ([1], [1, 2], {"x": 1}, "STOP")
    assert state["part"]["text"] == "t"
    assert "function" in state["f"]


async def test_every_kind_of_part_and_action_comes_back(backend: Backend) -> None:
    parts = [
        types.Part(text="thought", thought=True, thought_signature=b"\xff"),
        types.Part(inline_data=types.Blob(data=b"\x00\xfe", mime_type="image/png")),
        types.Part(file_data=types.FileData(file_uri="gs://x", mime_type="a/b")),
        types.Part(executable_code=types.ExecutableCode(code="1", language=types.Language.PYTHON)),
        types.Part(code_execution_result=types.CodeExecutionResult(outcome=types.Outcome.OUTCOME_OK, output="1")),
    ]
    event = Event(
        author="agent",
        content=types.Content(role="model", parts=parts),
        finish_reason=types.FinishReason.MAX_TOKENS,
        actions=EventActions(
            transfer_to_agent="other",
            artifact_delta={"f": 1},
            requested_tool_confirmations={"c": ToolConfirmation(hint="sure?")},
            agent_state={},
            escalate=False,
        ),
        turn_complete=False,
    )
    found, _ = await stored(backend, event)
    assert found == event
    (shown,) = backend.session_store.get_events("adk:a:u:s")
    assert [part["type"] for part in shown.data["content"]][:3] == ["thinking", "image/png", "a/b"]


async def test_times_that_no_clock_has_come_back(backend: Backend) -> None:
    service = AsmSessionService(backend)
    session = await service.create_session(app_name="a", user_id="u")
    times = [1e300, -1e300, 0.0, float("inf"), 1_700_000_000.123_456_789]
    for time in times:
        await service.append_event(session, Event(author="user", timestamp=time))
    found = await service.get_session(app_name="a", user_id="u", session_id=session.id)
    assert found is not None
    assert [event.timestamp for event in found.events] == times
    assert found.last_update_time == times[-1]


NAMES = [
    "a",
    "A",
    "",
    "a:b",
    "a%3Ab",
    "a b",
    " a",
    "a ",
    "adk:a",
    "adk%3Aa",
    "#a",
    "\ud800",
    "\0",
    "é",
    "x" * 600,
    "x" * 601,
]


async def test_sessions_whose_ids_are_alike_are_separate(backend: Backend) -> None:
    service = AsmSessionService(backend)
    keys = [
        *(Key(name, "u", "s") for name in NAMES),
        *(Key("a", name, "s") for name in NAMES),
        *(Key("b", "u", name) for name in NAMES if name.strip() == name and name),
        Key("a:u", "s", "s"),
        Key("a", "u:s", "s"),
    ]
    for number, key in enumerate(keys):
        state = {"n": number, "user:n": number}
        await service.create_session(**key._asdict(), state=state)
    for number, key in enumerate(keys):
        found = await service.get_session(**key._asdict())
        assert found is not None
        assert (found.id, found.state["n"]) == (key.session_id, number)
    for name in NAMES:
        listed = (await service.list_sessions(app_name="a", user_id=name)).sessions
        assert {session.user_id for session in listed} == {name}
        assert (await service.get_user_state(app_name=name, user_id="u"))["n"] == keys.index(Key(name, "u", "s"))
    listed = (await service.list_sessions(app_name="a")).sessions
    assert {session.user_id: session.state["user:n"] for session in listed}.keys() == {"u", *NAMES, "u:s"}


async def test_composed_names_do_not_collide_and_are_short() -> None:
    for composed in (
        [name_of(name) for name in NAMES],
        [Key("a", "b", name).stored_id for name in NAMES],
        [Key("a", name, "b").stored_id for name in NAMES],
        [Key("a", "b", "c").event_id(name, 1) for name in NAMES],
        [Key("a", "b", "c").run_id(name) for name in NAMES],
    ):
        assert len(set(composed)) == len(NAMES)
        assert all(len((name or "").encode()) <= 512 for name in composed)
    keys = {
        Key(*names).stored_id for names in (("a:b", "c", "d"), ("a", "b:c", "d"), ("a", "b", "c:d"), ("a", "b", "c"))
    }
    assert len(keys) == 4


async def test_keys_of_state_that_are_alike_are_separate(backend: Backend) -> None:
    service = AsmSessionService(backend)
    state = {f"{scope}{name}": [scope, name] for scope in ("app:", "user:") for name in NAMES}
    await service.create_session(app_name="a", user_id="u", state=state)
    other = await service.create_session(app_name="a", user_id="u:x", state={"user:a": 1})
    assert other.state == {**{key: value for key, value in state.items() if key.startswith("app:")}, "user:a": 1}
    assert await service.get_user_state(app_name="a", user_id="u") == {name: ["user:", name] for name in NAMES}
