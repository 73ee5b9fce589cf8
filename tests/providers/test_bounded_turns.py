"""Policies of a manager, enforced on each provider: tools that are denied, budgets, and approvals from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from model_server import LIMIT, ModelServer
from processes import Process
from vendors import VENDORS, Client, Vendor

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PERSON = """
import sys
import asm_core as asm
from asm_core.testing import FakeProvider

url, session_id, allowed = sys.argv[1:]
with asm.open_backend("peewee", url=url) as backend:
    store = backend.session_store
    print("ready", flush=True)
    for event in store.follow_events(session_id, type="tool_approval_requested", idle_timeout=60):
        assert event.data["tool_name"] == "weather"
        assert event.data["tool_input"] == {"city": "Rome"}
        manager = asm.SessionManager(store, FakeProvider([]))
        call = event.data["tool_call_id"]
        manager.answer_tool_call(event.run_id, call, allowed=allowed == "yes", reason="Not on Sundays.")
        break
"""


class Weather:
    """A tool that counts its calls."""

    def __init__(self) -> None:
        self.cities: list[str] = []

    def tool(self) -> Any:
        def weather(city: str) -> str:
            """Return the weather."""
            self.cities.append(city)
            return f"clear sky in {city}"

        return weather


@pytest.fixture
def weather() -> Weather:
    return Weather()


def bounded(*policies: Any, **options: Any) -> dict[str, Any]:
    return {"policies": list(policies), **options}


def test_a_denial_is_in_the_log_and_the_model_reads_it(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer, weather: Weather
) -> None:
    script = (vendor.call("weather", {"city": "Rome"}), vendor.text("I may not."))
    policy = asm.ToolPolicy(denied=["wea*"], name="no weather")
    found = client(*script, tools=[weather.tool()], manager=bounded(policy))
    assert found.turn("Rome?")["content"] == "I may not."
    assert weather.cities == []
    (violation,) = found.events("policy_violation")
    call_id = violation.data["tool_call_id"]
    assert violation.data == {
        "policy": "no weather",
        "action": "deny",
        "tool_name": "weather",
        "tool_call_id": call_id,
    }
    (failed,) = found.events("tool_call_failed")
    assert failed.data["tool_call_id"] == call_id
    assert failed.data["error"] == "The call was denied: The policy 'no weather' does not allow the tool 'weather'."
    assert vendor.results(server.requests[1].body) == [failed.data["error"]]
    assert found.events("tool_call_started") == []
    assert found.run.status == "completed"


def test_the_next_turn_gets_the_denial_again(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer, weather: Weather
) -> None:
    script = (vendor.call("weather", {"city": "Rome"}), vendor.text("I may not."), vendor.text("As I said."))
    found = client(*script, tools=[weather.tool()], manager=bounded(asm.ToolPolicy(allowed=["time"])))
    found.turn("Rome?")
    found.turn("Why?")
    assert vendor.results(server.requests[2].body) == vendor.results(server.requests[1].body)


def test_a_budget_of_tokens_cancels_the_turn(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer, weather: Weather
) -> None:
    hangs = vendor.text("Sunny.", end="hang")
    found = client(
        vendor.call("weather", {"city": "Rome"}), hangs, tools=[weather.tool()], manager=bounded(asm.Budget(tokens=12))
    )
    error = found.fail("Rome?")
    assert isinstance(error, asm.PolicyViolationError)
    assert (error.details["limit"], error.details["used"]) == ("tokens", 15)
    assert len(server.requests) <= 2
    run = found.run
    assert (run.status, run.total_tokens) == ("cancelled", 15)
    assert [event.data["limit"] for event in found.events("policy_violation")] == ["tokens"]
    assert len(found.events("message_received")) == 1  # what came is kept


def test_a_budget_of_silence_closes_the_stream(
    vendor: Vendor, client: Callable[..., Client], server: ModelServer
) -> None:
    found = client(vendor.text("Good morning.", end="hang"), manager=bounded(asm.Budget(idle_seconds=0.3)))
    error = found.fail("hello")
    assert error.details["limit"] == "idle_seconds"
    assert server.abandoned.wait(LIMIT)
    assert found.run.status == "cancelled"
    assert "".join(event.data["delta"] for event in found.events("message_streamed")) == "Good morning."


def test_a_budget_of_calls_denies_the_next_one(vendor: Vendor, client: Callable[..., Client], weather: Weather) -> None:
    calls = [vendor.call("weather", {"city": "Rome"}) for _ in range(2)]
    budget = asm.Budget(tool_calls=1, action="warn")
    found = client(*calls, vendor.text("Sunny."), tools=[weather.tool()], manager=bounded(budget))
    assert found.turn("Rome?")["content"] == "Sunny."
    assert weather.cities == ["Rome", "Rome"]
    assert [event.data["action"] for event in found.events("policy_violation")] == ["warn"]
    strict = client(
        *[vendor.call("weather", {"city": "Rome"}) for _ in range(2)],
        tools=[weather.tool()],
        manager=bounded(asm.Budget(tool_calls=1)),
    )
    assert isinstance(strict.fail("Rome?"), asm.PolicyViolationError)
    assert weather.cities == ["Rome"] * 3
    assert strict.run.status == "cancelled"


@pytest.mark.parametrize(
    ("vendor", "allowed"),
    list(zip(VENDORS, (True, False, True), strict=True)),
    ids=lambda value: value.name if isinstance(value, Vendor) else "granted" if value else "denied",
    indirect=["vendor"],
)
def test_another_process_decides(
    vendor: Vendor, server: ModelServer, tmp_path: Path, weather: Weather, *, allowed: bool
) -> None:
    url = f"sqlite:///{tmp_path}/agent.db"
    server.script.extend([vendor.call("weather", {"city": "Rome"}), vendor.text("Thank you.")])
    with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
        policy = asm.ToolPolicy(denied=["weather"], action="ask", ask_timeout=LIMIT)
        found = Client(backend, vendor.provider(server, tools=[weather.tool()]), policies=[policy])
        command = [sys.executable, "-c", PERSON, url, found.session_id, "yes" if allowed else "no"]
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        with Process(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as person:
            assert person.stdout.readline() == "ready\n"
            assert found.turn("Rome?")["content"] == "Thank you."
            assert person.wait(LIMIT) == 0
        answer = "granted" if allowed else "denied"
        kinds = ("tool_approval_requested", "tool_approval_granted", "tool_approval_denied")
        assert [event.type for event in found.events(*kinds)] == ["tool_approval_requested", f"tool_approval_{answer}"]
        assert weather.cities == (["Rome"] if allowed else [])
        result = "clear sky in Rome" if allowed else "The call was denied: Not on Sundays."
        assert vendor.results(server.requests[1].body) == [result]
