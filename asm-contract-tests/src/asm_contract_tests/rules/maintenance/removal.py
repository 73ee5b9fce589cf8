"""Sessions that are removed in several steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, ids, numbers, soft_deleted, some_events
from asm_core import (
    ArtifactRegistry,
    Backend,
    ExecutionResult,
    Maintenance,
    QueryAPI,
    RetentionPolicy,
    RunNotFoundError,
    Session,
    SessionDeletedError,
    SessionNotFoundError,
    SessionStore,
)

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = 25
IN_TENS = RetentionPolicy(batch_size=10)


class RemovalContract(Contract):
    """A session is removed a batch at a time, and is gone from the first one on."""

    @pytest.fixture
    def due(self, store: SessionStore) -> Session:
        """Return a session with a run and 25 events, soft-deleted long ago."""
        session = store.save_session(a_session(id="due", status="completed"))
        store.save_run(a_run(session, id="run of due", provider="acme"))
        store.append_events(some_events(session, EVENTS, run_id="run of due", correlation_id="due"))
        return soft_deleted(store, session, days=99)

    @pytest.fixture
    def interrupted(self, maintenance: Maintenance, due: Session) -> Session:
        """Return that session after a pass that was interrupted when it had removed ten of the events."""

        def interrupt(step: str, count: int) -> None:
            raise KeyboardInterrupt(step, count)

        with pytest.raises(KeyboardInterrupt, match="events_removed"):
            maintenance.execute(IN_TENS, progress=interrupt)
        return due

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("due")
    def test_a_session_is_removed_in_batches(self, maintenance: Maintenance) -> None:
        """Check `remove_marked`: at most `limit` events at a time, and the session last."""
        calls: list[tuple[str, int]] = []
        report = maintenance.execute(IN_TENS, progress=lambda step, count: calls.append((step, count)))
        assert calls == [*[("events_removed", count) for count in (10, 10, 5)], ("sessions_hard_deleted", 1)]
        assert (report.sessions_hard_deleted, report.events_removed) == (1, EVENTS)

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("interrupted")
    def test_a_session_whose_removal_was_interrupted_is_gone(self, store: SessionStore, query: QueryAPI) -> None:
        """Check the reads of one session: each leaves out those that `mark_removals` has marked."""
        reads: list[Callable[[str], object]] = [
            store.get_session,
            store.list_runs,
            store.get_active_run,
            store.get_events,
            store.get_latest_sequence,
            query.get_session_stats,
            query.export_session,
        ]
        for read in reads:
            with pytest.raises(SessionNotFoundError):
                read("due")
        with pytest.raises(SessionNotFoundError):
            next(store.follow_events("due", idle_timeout=0))
        with pytest.raises(RunNotFoundError):
            store.get_run("run of due")

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("interrupted")
    def test_what_belongs_to_a_session_whose_removal_was_interrupted_is_gone(self, query: QueryAPI) -> None:
        """Check the searches and totals: each leaves out what belongs to a marked session."""
        assert query.search_sessions(include_deleted=True).items == []
        assert query.search_runs().items == query.search_runs(session_id="due").items == []
        for order in ("sequence_asc", "sequence_desc", "timestamp_asc", "timestamp_desc"):
            assert query.search_events(order_by=order).items == query.search_events(run_ids="run of due").items == []
        assert query.count_events() == query.count_events(session_ids="due") == 0
        assert query.count_events(correlation_id="due") == 0
        assert query.get_usage_summary().run_count == query.get_cost_summary(provider="acme").run_count == 0

    @pytest.mark.usefixtures("interrupted")
    def test_no_artifact_is_registered_for_a_session_whose_removal_was_interrupted(
        self, artifacts: ArtifactRegistry
    ) -> None:
        """Check `register`: a marked session does not exist."""
        with pytest.raises(SessionNotFoundError):
            artifacts.register(an_artifact(session_id="due"))

    @pytest.mark.guarantee("G14")
    def test_nothing_is_written_to_a_session_whose_removal_was_interrupted(
        self, store: SessionStore, maintenance: Maintenance, interrupted: Session
    ) -> None:
        """Check each write: a marked session refuses it, and its id cannot be used until the removal is complete."""
        writes: list[Callable[[], object]] = [
            lambda: store.save_session(interrupted),
            lambda: store.save_run(a_run(interrupted)),
            lambda: store.append_event(an_event(interrupted)),
            lambda: store.append_events(some_events(interrupted, 2)),
            lambda: store.flush(ExecutionResult(interrupted)),
            lambda: store.restore_session(interrupted),
            lambda: store.restore_session(interrupted, replace=True),
            lambda: maintenance.undelete_session(interrupted.id),
        ]
        for write in writes:
            with pytest.raises(SessionDeletedError) as caught:
                write()
            assert caught.value.details == {"session_id": "due", "in_removal": True}

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("interrupted")
    def test_the_next_pass_finishes_a_removal_that_was_interrupted(
        self, store: SessionStore, other_backend: Backend
    ) -> None:
        """Check `remove_marked`: it continues with marked sessions, whatever the policy of this pass is."""
        policy = RetentionPolicy(hard_delete_after_days=None, exempt_statuses=["completed"])
        dry = other_backend.maintenance.execute(policy, dry_run=True)
        real = other_backend.maintenance.execute(policy)
        for report in (dry, real):
            assert (report.sessions_hard_deleted, report.events_removed) == (1, EVENTS - 10)
        again = store.save_session(a_session(id="due"))
        assert numbers(store.append_events(some_events(again, 1))) == [1]
        assert store.list_runs("due") == []

    @pytest.mark.usefixtures("interrupted")
    def test_deleting_a_session_finishes_a_removal_that_was_interrupted(
        self, store: SessionStore, maintenance: Maintenance
    ) -> None:
        """Check `_delete_session` of a marked session: it removes what is left."""
        store.delete_session("due")
        store.save_session(a_session(id="due"))
        assert maintenance.execute(IN_TENS).events_removed == 0
        assert ids(store.list_sessions()) == ["due"]

    @pytest.mark.usefixtures("interrupted")
    def test_a_store_is_healthy_when_a_removal_was_interrupted(self, maintenance: Maintenance) -> None:
        """Check `check_integrity`: what is left of a marked session is no fault."""
        assert maintenance.health_check() == []
