"""Tool calls and their results, which are pruned together."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, at, numbers
from asm_core import Maintenance, RetentionPolicy, Session, SessionStore

STARTED, COMPLETED, FAILED = "tool_call_started", "tool_call_completed", "tool_call_failed"


def call(session: Session | str, kind: str, name: str | None, **fields: Any) -> Any:
    """Return an event of the call of this name; None: of one without an id."""
    return an_event(session, type=kind, data={} if name is None else {"tool_call_id": name, "n": "\0"}, **fields)


class ToolCallsContract(Contract):
    """A tool call and its result are pruned together or not at all."""

    @pytest.mark.parametrize("batch_size", [1, 100])
    @pytest.mark.parametrize("result", [COMPLETED, FAILED])
    def test_a_tool_call_is_pruned_with_its_result(
        self, store: SessionStore, maintenance: Maintenance, session: Session, result: str, batch_size: int
    ) -> None:
        """Check `find_events` by type and number, and at `remove_events`: both halves go in one batch."""
        kinds = [(STARTED, "a"), ("message_sent", None), (STARTED, "b"), (result, "b"), (result, "a"), (STARTED, "c")]
        store.append_events(call(session, kind, name) for kind, name in kinds)
        policy = RetentionPolicy(max_events_per_session=5, batch_size=batch_size)
        dry = maintenance.execute(policy, dry_run=True).events_pruned
        assert dry == maintenance.prune_session_events(session.id, policy) == 2
        assert numbers(store.get_events(session.id)) == [2, 3, 4, 6]

    def test_a_tool_call_of_all_sessions_is_pruned_with_its_result(
        self, store: SessionStore, maintenance: Maintenance
    ) -> None:
        """Check `find_events` by session, type and number: the result may lie far from the start."""
        for name in ("s1", "s2"):
            store.save_session(a_session(id=name, status="completed"))
        for second, session_id, kind in [
            (1, "s1", STARTED),
            (2, "s2", STARTED),
            (3, "s2", "message_sent"),
            (4, "s2", COMPLETED),
            (5, "s1", COMPLETED),
        ]:
            store.append_event(call(session_id, kind, "a", timestamp=at(second)))
        policy = RetentionPolicy(max_total_events=4)
        assert maintenance.execute(policy, dry_run=True).events_pruned == 2
        assert maintenance.execute(policy).events_pruned == 2
        assert (numbers(store.get_events("s1")), numbers(store.get_events("s2"))) == ([], [1, 2, 3])

    def test_a_tool_call_without_a_result_stays_until_its_run_ends(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `load_run`: a result may still come while the run is running."""
        run = store.save_run(a_run(session, status="running"))
        for kind in (STARTED, "message_sent"):
            store.append_event(call(session, kind, "a", run_id=run.id))
        policy = RetentionPolicy(max_events_per_session=0)
        left = []
        for _ in range(2):
            maintenance.prune_session_events(session.id, policy)
            left.append(numbers(store.get_events(session.id)))
            run = store.save_run(run.with_status("completed")) if run.status == "running" else run
        assert left == [[1], []]
