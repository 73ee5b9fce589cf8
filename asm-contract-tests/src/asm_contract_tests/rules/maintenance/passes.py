"""A whole pass of maintenance: dry runs, batches, progress, reports."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import (
    a_run,
    a_session,
    an_artifact,
    an_event,
    at,
    changed,
    days_ago,
    label,
    soft_deleted,
)
from asm_core import Backend, Maintenance, MaintenanceReport, RetentionPolicy, SessionStore

POLICIES: list[dict[str, Any]] = [
    {},
    {"max_session_age_days": 5, "max_completed_session_age_days": None},
    {"hard_delete_after_days": 0},
    {"hard_delete_after_days": 0, "max_total_events": 3},
    {"hard_delete_after_days": None, "max_total_events": 3},
    {"max_events_per_session": 2},
    {"max_events_per_session": 2, "max_total_events": 4},
    {"max_events_per_session": 0, "max_total_events": 0, "exempt_statuses": (), "exempt_tags": ()},
    {"max_total_events": 0, "prune_event_types_first": ()},
    {"max_session_age_days": 0, "hard_delete_after_days": 0, "exempt_tags": ("red",), "max_events_per_session": 1},
]

STEPS = ("sessions_soft_deleted", "sessions_hard_deleted", "events_pruned", "artifacts_removed", "records_removed")

each_policy = pytest.mark.parametrize("fields", POLICIES, ids=label)


def fill(backend: Backend) -> None:
    """Store eight sessions in every state that retention distinguishes, with runs, events and artifacts."""
    store, registry = backend.session_store, backend.artifact_registry
    kinds = ["run_started", "message_streamed", "message_sent", "error_occurred", "message_sent", "token_usage_updated"]
    for place in range(8):
        session = a_session(
            id=f"s{place}",
            status=["completed", "active", "failed", "pending"][place % 4],
            tags=[["pinned"], ["red"], []][place % 3],
            created_at=days_ago(100 if place < 6 else 1),
        )
        store.save_session(session)
        store.save_run(a_run(session, id=f"r{place}"))
        store.append_events(an_event(session, type=kind, timestamp=at(place % 3)) for kind in kinds[: place + 1])
        registry.register(an_artifact(key=f"a{place}", id=f"a{place}", session_id=session.id))
        if place in {2, 5, 6}:
            soft_deleted(store, session, days=60)
        backend.state_store.put("n", str(place), place, expires_at=days_ago(place - 4))
    registry.delete("a1")
    store.delete_session("s7")


def state(backend: Backend) -> dict[str, Any]:
    """Return all that is stored, but for the times of deletion."""
    query = backend.query_api
    sessions = query.search_sessions(include_deleted=True, order_by="created_at_asc").items
    exports = [query.export_session(session.id, include_artifacts=True) for session in sessions]
    live = [artifact.id for place in range(8) if (artifact := backend.artifact_registry.get_by_key(f"a{place}"))]
    return {
        "sessions": {(session.id, session.deleted_at is None) for session in sessions},
        "runs": {run.id for export in exports for run in export.runs},
        "events": {(event.session_id, event.sequence_number) for export in exports for event in export.events},
        "last": {export.session.id: export.last_sequence for export in exports},
        "artifacts": live,
        "records": backend.state_store.list("n").items,
    }


def told(report: MaintenanceReport) -> MaintenanceReport:
    """Return the report without what differs from one pass to the next."""
    return type(report)(
        sessions_soft_deleted=report.sessions_soft_deleted,
        sessions_hard_deleted=report.sessions_hard_deleted,
        events_pruned=report.events_pruned,
        artifacts_removed=report.artifacts_removed,
        records_removed=report.records_removed,
    )


class PassesContract(Contract):
    """`execute` applies a policy in batches, and reports it."""

    @each_policy
    def test_a_dry_run_changes_nothing(self, backend: Backend, fields: dict[str, Any]) -> None:
        """Look for a step that writes without asking for `dry_run`."""
        fill(backend)
        before = state(backend)
        report = backend.maintenance.execute(RetentionPolicy(**fields), dry_run=True)
        assert report.dry_run
        assert state(backend) == before

    @each_policy
    def test_a_dry_run_reports_what_a_real_run_does(self, backend: Backend, fields: dict[str, Any]) -> None:
        """Check the counts of a dry run: `_count_prunable`, and what earlier steps would have removed."""
        fill(backend)
        policy = RetentionPolicy(**fields, batch_size=1)
        dry = backend.maintenance.execute(policy, dry_run=True)
        real = backend.maintenance.execute(policy)
        assert not real.dry_run
        assert told(dry) == told(real)

    @each_policy
    def test_a_report_counts_what_was_removed(self, backend: Backend, fields: dict[str, Any]) -> None:
        """Check the counts of `execute`: they are those of what is missing afterwards."""
        fill(backend)
        before = state(backend)
        report = backend.maintenance.execute(RetentionPolicy(**fields))
        after = state(backend)
        ids_before, ids_after = ({name for name, _ in told["sessions"]} for told in (before, after))
        removed = ids_before - ids_after
        live = [{name for name, is_live in told["sessions"] if is_live} for told in (before, after)]
        pruned = {event for event in before["events"] - after["events"] if event[0] not in removed}
        assert report.sessions_hard_deleted == len(removed)
        assert report.sessions_soft_deleted == len(live[0] - live[1])
        assert report.events_pruned == len(pruned)

    @pytest.mark.guarantee("G14")
    @each_policy
    def test_the_size_of_batches_changes_nothing(self, backend: Backend, fields: dict[str, Any]) -> None:
        """Check `after` of each primitive that finds: ids after the last one, without omission or repetition."""
        fill(backend)
        before = state(backend)
        dry = backend.maintenance.execute(RetentionPolicy(**fields), dry_run=True)
        real = backend.maintenance.execute(RetentionPolicy(**fields, batch_size=2))
        assert told(real) == told(dry)
        assert state(backend)["runs"] <= before["runs"]

    @each_policy
    def test_a_second_pass_finds_nothing_left(self, backend: Backend, fields: dict[str, Any]) -> None:
        """Look for work that a pass omits; only sessions that it has just soft-deleted may still be removable."""
        fill(backend)
        backend.maintenance.execute(RetentionPolicy(**fields))
        later = {**fields, "hard_delete_after_days": 30} if fields.get("hard_delete_after_days") == 0 else fields
        assert told(backend.maintenance.execute(RetentionPolicy(**later))) == MaintenanceReport()

    @pytest.mark.guarantee("G12")
    @each_policy
    def test_a_store_is_healthy_after_a_pass(self, backend: Backend, fields: dict[str, Any]) -> None:
        """Check `check_integrity`, and the result of each step."""
        fill(backend)
        backend.maintenance.execute(RetentionPolicy(**fields, batch_size=1))
        assert backend.maintenance.health_check() == []

    @pytest.mark.guarantee("G14")
    @each_policy
    def test_progress_adds_up_to_the_report(self, backend: Backend, fields: dict[str, Any]) -> None:
        """Check `progress`: after each batch, named like the fields of the report, never more than a batch holds."""
        fill(backend)
        calls: list[tuple[str, int]] = []
        report = backend.maintenance.execute(
            RetentionPolicy(**fields, batch_size=1), progress=lambda step, count: calls.append((step, count))
        )
        sums = {step: sum(count for name, count in calls if name == step) for step, _ in calls}
        assert all(sums.get(step, 0) == getattr(report, step) for step in {*sums, *STEPS})
        assert all(count == 1 for _, count in calls)

    @each_policy
    def test_a_dry_run_names_the_sessions_that_a_pass_would_soft_delete(
        self, backend: Backend, fields: dict[str, Any]
    ) -> None:
        """Check `planned`: in a dry run only, each session once, with the step and a reason."""
        fill(backend)
        calls: list[tuple[str, str, str]] = []

        def plan(step: str, session_id: str, reason: str) -> None:
            calls.append((step, session_id, reason))

        report = backend.maintenance.execute(RetentionPolicy(**fields), dry_run=True, planned=plan)
        named = [session_id for step, session_id, _ in calls if step == "sessions_soft_deleted"]
        assert len(named) == len(set(named)) == report.sessions_soft_deleted
        assert all(reason for _, _, reason in calls)
        calls.clear()
        backend.maintenance.execute(RetentionPolicy(**fields), planned=plan)
        assert calls == []

    @pytest.mark.guarantee("G14")
    def test_a_pass_that_is_interrupted_keeps_what_it_has_done(
        self, store: SessionStore, maintenance: Maintenance
    ) -> None:
        """Check `batch`: each batch is a transaction of its own, not all of them one."""
        for place in range(6):
            store.save_session(a_session(id=f"s{place}", status="failed", created_at=days_ago(100)))
        calls: list[tuple[str, int]] = []

        def interrupt(step: str, count: int) -> None:
            calls.append((step, count))
            if len(calls) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            maintenance.execute(RetentionPolicy(batch_size=2), progress=interrupt)
        assert [store.get_session(f"s{place}").deleted_at is not None for place in range(6)] == [True] * 4 + [False] * 2

    def test_a_pass_over_an_empty_store_does_nothing(self, maintenance: Maintenance) -> None:
        """Check `execute` for a store without anything."""
        report = maintenance.execute(RetentionPolicy(max_events_per_session=0, max_total_events=0))
        assert told(report) == MaintenanceReport()
        assert report.duration_ms >= 0

    @pytest.mark.guarantee("G12")
    def test_a_fresh_store_is_healthy(self, maintenance: Maintenance) -> None:
        """Check `check_integrity`: it must find nothing where nothing is."""
        assert maintenance.health_check() == []

    @pytest.mark.guarantee("G12")
    def test_a_store_in_use_is_healthy(self, backend: Backend) -> None:
        """Check `check_integrity`: gaps from pruning, orphaned artifacts, labels of missing runs are no faults."""
        fill(backend)
        session = backend.session_store.save_session(changed(a_session(), parent_session_id="ses_gone"))
        backend.session_store.append_event(an_event(session, run_id="run_gone"))
        backend.session_store.restore_session(a_session(), last_sequence=99)
        assert backend.maintenance.health_check() == []
