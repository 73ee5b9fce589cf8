"""Budgets, and tools that may be called."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ENOUGH, ScriptedProvider, types, waits

import asm_core as asm
from asm_core import Budget, SessionManager, ToolPolicy
from asm_core.testing import FakeProvider, FakeTurn

if TYPE_CHECKING:
    from asm_core import SessionStore

ADD = FakeTurn(tool_calls=[("add", {"a": 1, "b": 2})])
TOOLS = {"add": lambda a, b: a + b, "delete_all": lambda: "gone"}
PRICES = {"fake": {"fake-model": {"input": 1000, "output": 1000}}}
"""A turn of FakeProvider has 15 tokens, so it costs 0.015 USD."""


def violations(store: SessionStore, session_id: str) -> list[dict[str, Any]]:
    return [event.data for event in store.get_events(session_id, type="policy_violation")]


def ended(store: SessionStore, error: asm.AsmError) -> asm.Run:
    return store.get_run(error.details["run_id"])


# -- budgets


@pytest.mark.parametrize(
    ("limits", "limit", "used"),
    [({"tokens": 20}, "tokens", 30), ({"cost_usd": "0.02"}, "cost_usd", "0.030000000")],
    ids=["tokens", "cost"],
)
def test_a_run_that_uses_more_than_its_budget_is_ended(
    store: SessionStore, limits: dict[str, Any], limit: str, used: Any
) -> None:
    provider = FakeProvider([ADD, ADD, ADD, FakeTurn(text="x", delay=20)], tools=TOOLS)
    manager = SessionManager(store, provider, policies=[Budget(**limits)], pricing_table=PRICES)
    with pytest.raises(asm.PolicyViolationError, match="The policy 'budget' ended the run") as caught:
        manager.run_once("?")
    run = ended(store, caught.value)
    assert run.error is not None
    assert (run.status, run.error["code"]) == ("cancelled", "policy_violation")
    assert run.total_tokens >= 30
    assert run.cost_usd == Decimal(run.total_tokens) / 1000
    [violation] = violations(store, run.session_id)
    assert (violation["limit"], violation["action"]) == (limit, "cancel")
    assert Decimal(violation["used"]) >= Decimal(used)
    assert types(store.get_events(run.session_id))[-3:] == ["policy_violation", "run_cancelled", "session_cancelled"]


def test_a_warning_is_recorded_once_and_the_run_goes_on(store: SessionStore) -> None:
    provider = FakeProvider([ADD, ADD, "Done."], tools=TOOLS)
    manager = SessionManager(store, provider, policies=[Budget(tokens=1, action="warn")])
    result = manager.run_once("?")
    assert result.output["content"] == "Done."
    assert [(data["limit"], data["action"]) for data in violations(store, result.session_id)] == [("tokens", "warn")]


def test_a_budget_that_is_kept_leaves_no_trace(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider(["Hi!"]), policies=[Budget(tokens=15, seconds=60, tool_calls=0)])
    assert violations(store, manager.run_once("?").session_id) == []


@pytest.mark.parametrize("field", ["seconds", "idle_seconds"])
def test_a_timer_ends_what_is_silent(store: SessionStore, field: str) -> None:
    limits: dict[str, Any] = {field: 0.1}
    manager = SessionManager(store, ScriptedProvider(waits), policies=[Budget(**limits)])
    with pytest.raises(asm.PolicyViolationError) as caught:
        manager.run_once({})
    assert caught.value.details["limit"] == field


def test_the_calls_of_tools_have_a_budget(store: SessionStore) -> None:
    provider = FakeProvider([ADD, ADD, FakeTurn(text="x", delay=20)], tools=TOOLS)
    manager = SessionManager(store, provider, policies=[Budget(tool_calls=1)])
    with pytest.raises(asm.PolicyViolationError) as caught:
        manager.run_once("?")
    kinds = types(store.get_events(caught.value.details["session_id"]))
    assert kinds.count("tool_call_started") == kinds.count("tool_call_completed") == 1


@pytest.mark.parametrize("limits", [{"tokens": 30}, {"cost_usd": "0.03"}, {"tool_calls": 2}, {"seconds": 0}])
@pytest.mark.parametrize("scope", ["session", "user"])
def test_the_budget_of_a_session_or_user_counts_earlier_runs(
    backend: asm.Backend, scope: Any, limits: dict[str, Any]
) -> None:
    store = backend.session_store
    earlier = SessionManager(store, FakeProvider([ADD, "Hi!"] * 2, tools=TOOLS), pricing_table=PRICES)
    sessions = [earlier.start_session(user_id="ann").id for _ in range(2)]
    for place in range(2):
        earlier.run(sessions[0 if scope == "session" else place], "?")
    provider = FakeProvider([ADD, FakeTurn(text="x", delay=20)], tools=TOOLS)
    manager = SessionManager(
        store,
        provider,
        policies=[Budget(scope=scope, **limits)],
        query_api=backend.query_api,
        pricing_table=PRICES,
    )
    with pytest.raises(asm.PolicyViolationError):
        manager.run(sessions[0], "?")
    assert provider.requests == []
    other = SessionManager(
        store, FakeProvider(["Hi!"]), policies=[Budget(tokens=99, scope=scope)], query_api=backend.query_api
    )
    assert other.run(other.start_session(user_id="bob").id, "?").output["content"] == "Hi!"


# -- tools


@pytest.mark.parametrize("policy", [{"denied": ["delete_*"]}, {"allowed": ["add"]}])
def test_a_tool_that_is_not_allowed_is_not_called(store: SessionStore, policy: dict[str, Any]) -> None:
    provider = FakeProvider(
        [FakeTurn(tool_calls=[("delete_all", {}), ("add", {"a": 1, "b": 2})]), "Done."], tools=TOOLS
    )
    result = SessionManager(store, provider, policies=[ToolPolicy(**policy)]).run_once("?")
    calls = [(event.type, event.data["tool_name"]) for event in result.events if event.type.startswith("tool_call_")]
    assert calls == [("tool_call_failed", "delete_all"), ("tool_call_started", "add"), ("tool_call_completed", "add")]
    [violation] = violations(store, result.session_id)
    assert (violation["policy"], violation["tool_name"], violation["action"]) == ("tools", "delete_all", "deny")


def test_a_tool_may_end_the_run(store: SessionStore) -> None:
    provider = FakeProvider([FakeTurn(tool_calls=[("delete_all", {})]), FakeTurn(text="x", delay=20)], tools=TOOLS)
    manager = SessionManager(store, provider, policies=[ToolPolicy(denied=["*"], action="cancel", name="none")])
    with pytest.raises(asm.PolicyViolationError, match="The policy 'none' ended the run"):
        manager.run_once("?")


def test_a_tool_may_be_called_with_a_warning(store: SessionStore) -> None:
    provider = FakeProvider([FakeTurn(tool_calls=[("delete_all", {})]), "Done."], tools=TOOLS)
    manager = SessionManager(store, provider, policies=[ToolPolicy(denied=["*"], action="warn")])
    result = manager.run_once("?")
    assert "tool_call_completed" in types(result.events)
    assert len(violations(store, result.session_id)) == 1


def test_a_call_that_was_not_asked_for_ends_the_run(store: SessionStore) -> None:
    def script(provider: ScriptedProvider, _run: Any, _session: Any, emit: asm.Emit) -> None:
        emit("tool_call_started", {"tool_call_id": "c1", "tool_name": "delete_all", "tool_input": {}})
        provider.wait_for_cancel()

    manager = SessionManager(store, ScriptedProvider(script), policies=[ToolPolicy(denied=["delete_*"])])
    with pytest.raises(asm.PolicyViolationError):
        manager.run_once({})


@pytest.mark.parametrize("allowed", [True, False])
def test_a_person_decides_from_anywhere(store: SessionStore, *, allowed: bool) -> None:
    provider = FakeProvider([FakeTurn(tool_calls=[("delete_all", {})]), "Done."], tools=TOOLS)
    manager = SessionManager(store, provider, policies=[ToolPolicy(denied=["*"], action="ask")])
    session_id = manager.start_session().id

    def answer() -> None:
        [asked] = store.get_events(session_id, type="tool_approval_requested", wait_timeout=ENOUGH)
        assert asked.data["tool_name"] == "delete_all"
        other = SessionManager(store, FakeProvider([]))
        reason = None if allowed else "Not today."
        other.answer_tool_call(asked.run_id or "", asked.data["tool_call_id"], allowed=allowed, reason=reason)

    person = threading.Thread(target=answer)
    person.start()
    result = manager.run(session_id, "?")
    person.join(ENOUGH)
    outcome = next(event for event in result.events if event.type in ("tool_call_completed", "tool_call_failed"))
    assert outcome.data.get("tool_output", outcome.data.get("error")) == ("gone" if allowed else "Not today.")


def test_a_question_that_is_not_answered_is_a_denial(store: SessionStore) -> None:
    provider = FakeProvider([FakeTurn(tool_calls=[("delete_all", {})]), "Done."], tools=TOOLS)
    manager = SessionManager(store, provider, policies=[ToolPolicy(denied=["*"], action="ask", ask_timeout=0.05)])
    kinds = types(manager.run_once("?").events)
    assert [kind for kind in kinds if kind.startswith("tool_")] == [
        "tool_approval_requested",
        "tool_approval_denied",
        "tool_call_failed",
    ]


def test_a_run_is_cancelled_while_it_waits_for_a_person(store: SessionStore) -> None:
    provider = FakeProvider([FakeTurn(tool_calls=[("delete_all", {})]), FakeTurn(text="x", delay=20)], tools=TOOLS)
    manager = SessionManager(store, provider, policies=[ToolPolicy(denied=["*"], action="ask")])
    session_id = manager.start_session().id
    with manager.stream(session_id, "?") as stream:
        assert any(event.type == "tool_approval_requested" for event in stream)
    [run] = store.list_runs(session_id)
    assert run.status == "cancelled"


# -- values


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Budget, {}, "needs at least one of"),
        (Budget, {"tokens": -1}, "tokens must be"),
        (Budget, {"seconds": "long"}, "seconds must be"),
        (Budget, {"cost_usd": -1}, "cost_usd"),
        (Budget, {"cost_usd": "much"}, "cost_usd must be a number of US dollars"),
        (Budget, {"cost_usd": True}, "cost_usd"),
        (Budget, {"cost_usd": "NaN"}, "cost_usd"),
        (Budget, {"tokens": 1, "scope": "world"}, "scope must be one of run, session, user"),
        (Budget, {"tokens": 1, "action": "ask"}, "action must be one of cancel, warn"),
        (ToolPolicy, {"allowed": "add"}, "allowed must be a list"),
        (ToolPolicy, {"action": "stop"}, "action must be one of"),
        (ToolPolicy, {"denied": None}, "denied must be a list"),
        (ToolPolicy, {"allowed": [7]}, "allowed must be a list"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(kind: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        kind(**fields)


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        (7, "must be a list of policies"),
        ([{"tokens": 1}], "must be a Budget"),
        ([Budget(tokens=1, scope="user")], "query_api"),
    ],
)
def test_policies_that_cannot_be_enforced_are_refused(store: SessionStore, policies: Any, message: str) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        SessionManager(store, FakeProvider([]), policies=policies)
