"""The enforcement of policies for one run."""

from __future__ import annotations

import math
import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from asm_core import logs
from asm_core.errors import AsmError
from asm_core.models import EventType
from asm_core.ports import ToolDecision
from asm_core.recording.lifecycle.outcomes import violated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asm_core.models import Run
    from asm_core.ports import SessionStore
    from asm_core.recording.lifecycle.outcomes import Outcome
    from asm_core.recording.policies.rules import Budget, Policies, ToolPolicy
    from asm_core.recording.policies.sums import Sums
    from asm_core.values.payloads import Payload

_BLINK: Final = 0.25
"""Seconds after which a thread that waits for a person checks whether the run was stopped."""

_AT_RESPONSES: Final = ("tokens", "cost_usd", "seconds")


class Guard:
    """Checks the policies of a manager while a run executes.

    A violation that ends the run is recorded together with its end; any other one at once.
    """

    def __init__(
        self,
        policies: Policies,
        run: Run,
        session_store: SessionStore,
        sums: Sums,
        *,
        record: Callable[[str, Mapping[str, Any]], None],
        stop: Callable[[Outcome], None],
        is_stopped: Callable[[], bool],
    ) -> None:
        """Guard a run.

        Args:
            policies: the policies.
            run: the run.
            session_store: where the decisions of persons are stored.
            sums: what counts against budgets.
            record: records an event of the run, without waiting.
            stop: ends the run.
            is_stopped: whether the run was ended.
        """
        self._policies = policies
        self._run = run
        self._store = session_store
        self._sums = sums
        self._record = record
        self._stop = stop
        self._is_stopped = is_stopped
        self._lock = threading.Lock()
        self._violated: set[tuple[int, str]] = set()
        self._approved: set[str] = set()
        self._active_at = time.monotonic()
        self._deadlines: list[tuple[Budget, float]] = []

    def begin(self) -> None:
        """Check what a session or a user has used up before, and set the timers.

        Raises:
            StorageError: the sums could not be read.
        """
        now = time.monotonic()
        for budget in self._policies.budgets:
            if budget.scope != "run":
                for field in budget.limits:
                    self._check(budget, field, is_spent=True)
            if budget.seconds is not None:
                left = budget.seconds - self._sums.used("seconds", budget.scope)
                self._deadlines.append((budget, now + max(0.0, left)))

    def after_response(self) -> None:
        """Check the budgets after reported usage was stored."""
        for budget in self._policies.budgets:
            for field in _AT_RESPONSES:
                self._check(budget, field)

    def on_event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Count an event that the provider emits; check a call of a tool that was not asked for."""
        self._active_at = time.monotonic()
        if kind != EventType.TOOL_CALL_STARTED:
            return
        call_id, name = data.get("tool_call_id"), data.get("tool_name")
        if call_id in self._approved:
            return
        # It was not asked for, so it cannot be denied: what would deny it ends the run.
        for policy in self._policies.tools:
            if isinstance(name, str) and not policy.allows(name):
                self._violate(policy, f"tool:{name}", {"tool_name": name}, cancels=policy.action != "warn")
        self._check_calls()
        self._sums.tool_calls += 1

    @property
    def next_check(self) -> float:
        """When `check_timers` is due next, on the monotonic clock."""
        silences = [budget.idle_seconds for budget in self._policies.budgets if budget.idle_seconds is not None]
        due = [deadline for _, deadline in self._deadlines] + [self._active_at + silence for silence in silences]
        return min(due, default=math.inf)

    def check_timers(self) -> None:
        """End a run whose time is over, or that is silent."""
        now = time.monotonic()
        for entry in [entry for entry in self._deadlines if entry[1] <= now]:
            self._deadlines.remove(entry)
            self._check(entry[0], "seconds", is_spent=True)
        for budget in self._policies.budgets:
            if budget.idle_seconds is not None and now - self._active_at >= budget.idle_seconds:
                self._violate_budget(budget, "idle_seconds", round(now - self._active_at, 3))
                self._active_at = now

    def decide(self, tool_call_id: str, tool_name: str, tool_input: Any) -> ToolDecision:
        """Return whether a tool may be called; wait for a person where a policy says so."""
        if reason := self._check_calls():
            return ToolDecision(allowed=False, reason=reason)
        for policy in self._policies.tools:
            if policy.allows(tool_name):
                continue
            decision = self._apply(policy, tool_call_id, tool_name, tool_input)
            if not decision.allowed:
                return decision
        self._approved.add(tool_call_id)
        self._sums.tool_calls += 1
        return ToolDecision(allowed=True)

    def _apply(self, policy: ToolPolicy, tool_call_id: str, tool_name: str, tool_input: Any) -> ToolDecision:
        if policy.action == "ask":
            return self._ask(policy, tool_call_id, tool_name, tool_input)
        about = {"tool_name": tool_name, "tool_call_id": tool_call_id}
        self._violate(policy, f"call:{tool_call_id}", about, cancels=policy.action == "cancel")
        if policy.action == "warn":
            return ToolDecision(allowed=True)
        return ToolDecision(allowed=False, reason=f"The policy {policy.name!r} does not allow the tool {tool_name!r}.")

    def _ask(self, policy: ToolPolicy, tool_call_id: str, tool_name: str, tool_input: Any) -> ToolDecision:
        """Wait for the decision of a person, which any process may store."""
        last = self._store.get_latest_sequence(self._run.session_id)
        call = {"tool_call_id": tool_call_id, "tool_name": tool_name, "tool_input": tool_input}
        self._record(EventType.TOOL_APPROVAL_REQUESTED, {**call, "policy": policy.name})
        kinds = (EventType.TOOL_APPROVAL_GRANTED, EventType.TOOL_APPROVAL_DENIED)
        deadline = math.inf if policy.ask_timeout is None else time.monotonic() + policy.ask_timeout
        while not self._is_stopped():
            self._active_at = time.monotonic()  # a run that waits for a person is not silent
            wait = min(_BLINK, deadline - self._active_at)
            if wait <= 0:
                reason = f"Nobody answered within {policy.ask_timeout:g} seconds."
                self._record(EventType.TOOL_APPROVAL_DENIED, {"tool_call_id": tool_call_id, "reason": reason})
                return ToolDecision(allowed=False, reason=reason)
            found = self._store.get_events(
                self._run.session_id, run_id=self._run.id, type=kinds, after=last, wait_timeout=wait
            )
            for event in found:
                if event.data.get("tool_call_id") == tool_call_id:
                    if event.type == EventType.TOOL_APPROVAL_GRANTED:
                        return ToolDecision(allowed=True)
                    given = event.data.get("reason")
                    return ToolDecision(allowed=False, reason=given if isinstance(given, str) else "It was denied.")
                last = event.sequence_number
        return ToolDecision(allowed=False, reason="The run was ended.")

    def _check_calls(self) -> str | None:
        """Check the budgets of calls before one more; return why it is denied, if it is."""
        reason = None
        for budget in self._policies.budgets:
            if budget.tool_calls is not None and self._check(budget, "tool_calls", is_spent=True):
                reason = f"The policy {budget.name!r} allows {budget.tool_calls} calls of tools."
        return reason

    def _check(self, budget: Budget, field: str, *, is_spent: bool = False) -> bool:
        """Check one limit; with `is_spent`, nothing may be left of it. Return whether it ends the run."""
        limit = budget.limits.get(field)
        if limit is None or field == "idle_seconds":
            return False
        used = self._sums.used(field, budget.scope)
        if used is None or used < limit or (used == limit and not is_spent):
            return False
        self._violate_budget(budget, field, used)
        return budget.action == "cancel"

    def _violate_budget(self, budget: Budget, field: str, used: Any) -> None:
        about = {"limit": field, "maximum": _plain(budget.limits[field]), "used": _plain(used), "scope": budget.scope}
        self._violate(budget, field, about, cancels=budget.action == "cancel")

    def _violate(self, policy: Budget | ToolPolicy, what: str, about: Payload, *, cancels: bool) -> None:
        """Record a violation, once, and end the run if the policy does."""
        with self._lock:
            if (id(policy), what) in self._violated:
                return
            self._violated.add((id(policy), what))
        logs.warning(
            "recording", "policy violation", run=self._run.id, session=self._run.session_id, policy=policy.name
        )
        data = {"policy": policy.name, "action": "cancel" if cancels else policy.action, **about}
        if cancels:
            self._stop(violated(data))
            return
        try:
            self._record(EventType.POLICY_VIOLATION, data)
        except AsmError:
            if not self._is_stopped():
                raise


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return round(value, 3) if isinstance(value, float) else value
