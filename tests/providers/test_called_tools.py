"""Calls of tools that fail, are denied, or run while others wait."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from model_server import LIMIT, ModelServer

import asm_core as asm
from asm_core.ports import ToolDecision

if TYPE_CHECKING:
    from collections.abc import Callable

    from vendors import Client, Vendor


def fails(city: str) -> str:
    """Fail."""
    message = f"no {city}"
    raise LookupError(message)


@pytest.mark.parametrize(
    "case",
    [
        ("fails", {"city": "Rome"}, "LookupError: no Rome"),
        ("fails", {"town": "Rome"}, "The arguments of fails are invalid"),
        ("fails", '{"city": "Ro', "The arguments of fails are invalid"),
        ("missing", {}, "There is no tool 'missing'. The tools are: fails."),
    ],
)
def test_a_call_that_fails_is_recorded_and_the_model_reads_why(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer, case: tuple[str, Any, str]
) -> None:
    name, arguments, error = case
    found = client(vendor.call(name, arguments), vendor.text("Sorry."), tools=[fails])
    assert found.turn("Rome?")["content"] == "Sorry."
    (failed,) = found.events("tool_call_failed")
    assert error in failed.data["error"]
    assert vendor.results(server.requests[1].body) == [failed.data["error"]]
    assert found.run.status == "completed"


def test_a_result_that_json_cannot_hold_is_a_failure(vendor: Vendor, client: Callable[..., Client]) -> None:
    def odd() -> Any:
        return object()

    found = client(vendor.call("odd", {}), vendor.text("Sorry."), tools=[odd])
    found.turn("Rome?")
    assert "which JSON cannot hold" in found.events("tool_call_failed")[0].data["error"]


def test_a_tool_that_is_a_coroutine_function_runs_in_the_loop(vendor: Vendor, client: Callable[..., Client]) -> None:
    async def later(city: str) -> str:
        await asyncio.sleep(0)
        return city.upper()

    found = client(vendor.call("later", {"city": "Rome"}), vendor.text("ok"), tools=[later])
    found.turn("Rome?")
    assert found.events("tool_call_completed")[0].data["tool_output"] == "ROME"


def test_the_rounds_of_tools_have_a_limit(vendor: Vendor, client: Callable[..., Client]) -> None:
    calls = [vendor.call("echo", {}) for _ in range(3)]

    def echo() -> str:
        return "again"

    found = client(*calls, tools=[echo], max_tool_rounds=2)
    error = found.fail("go")
    assert "after 2 rounds" in error.message
    assert len(found.events("tool_call_completed")) == 2


def test_a_synchronous_tool_does_not_block_the_event_loop(vendor: Vendor, server: ModelServer) -> None:
    ready, beat = threading.Event(), threading.Event()

    def waits() -> bool:
        ready.set()
        return beat.wait(LIMIT)

    async def turn() -> Any:
        async with asm.aio.open_backend("memory") as backend:
            manager = asm.aio.SessionManager(backend.session_store, vendor.provider(server, tools=[waits]))
            task = asyncio.ensure_future(manager.run_once("go"))
            await asyncio.to_thread(ready.wait, LIMIT)
            beat.set()  # only a loop that is not blocked comes here
            return (await task).output

    server.script.extend([vendor.call("waits", {}), vendor.text("done")])
    assert asyncio.run(turn())["content"] == "done"


def test_a_run_is_cancelled_while_a_tool_runs(vendor: Vendor, client: Callable[..., Client]) -> None:
    ready, over = threading.Event(), threading.Event()

    def waits() -> bool:
        ready.set()
        return over.wait(LIMIT)

    found = client(vendor.call("waits", {}), tools=[waits])
    thread = threading.Thread(target=found.fail, args=("go",))
    thread.start()
    assert ready.wait(LIMIT)
    found.manager.cancel_run(found.run.id)
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert not over.is_set()
    over.set()
    (failed,) = found.events("tool_call_failed")
    assert failed.data["error"] == "The call was cancelled."
    assert found.run.status == "cancelled"


class Denying:
    """The `AsyncEmit` of a manager whose policy denies every call."""

    def __init__(self, messages: tuple[asm.Message, ...]) -> None:
        self.messages = messages
        self.events: list[tuple[str, Any]] = []

    async def __call__(self, type: str, data: Any) -> None:  # noqa: A002
        self.events.append((str(type), dict(data)))

    async def transcript(self) -> Any:
        return self

    async def approve_tool(self, tool_call_id: str, tool_name: str, tool_input: Any) -> ToolDecision:
        self.asked = (tool_call_id, tool_name, tool_input)
        return ToolDecision(allowed=False, reason="not on Sundays")


def test_a_denied_call_is_not_made_and_the_model_reads_why(vendor: Vendor, server: ModelServer) -> None:
    called: list[str] = []
    server.script.extend([vendor.call("weather", {"city": "Rome"}), vendor.text("Then not.")])

    def weather(city: str) -> None:
        called.append(city)

    emit: Any = Denying((asm.Message(role="user", content="Rome?"),))
    session = asm.Session.new(agent_id="assistant")
    provider = vendor.provider(server, tools=[weather])
    result = asyncio.run(provider.execute(asm.Run.new(session_id=session.id), session, emit))
    assert result.output["content"] == "Then not."
    assert called == []
    assert emit.asked[1:] == ("weather", {"city": "Rome"})
    (failed,) = [data for kind, data in emit.events if kind == "tool_call_failed"]
    assert "not on Sundays" in failed["error"]
    assert vendor.results(server.requests[1].body) == [failed["error"]]
