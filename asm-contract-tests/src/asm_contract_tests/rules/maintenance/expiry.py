"""Sessions that expire: soft-deleted, then removed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import (
    a_run,
    a_session,
    an_artifact,
    an_event,
    changed,
    days_ago,
    ids,
    numbers,
    soft_deleted,
    some_events,
)
from asm_core import (
    ArtifactRegistry,
    Maintenance,
    QueryAPI,
    RetentionPolicy,
    RunNotFoundError,
    Session,
    SessionNotFoundError,
    SessionStore,
)

ENDED = ("completed", "failed", "cancelled")


def aged(name: str, *, created: float, updated: float | None = None, status: str = "completed") -> Session:
    """Return a session that was created, and last changed, this many days ago."""
    changed_at = days_ago(created if updated is None else updated)
    return a_session(id=name, status=status, created_at=days_ago(created), updated_at=changed_at)


class SoftDeleteContract(Contract):
    """Expired sessions are marked as deleted."""

    def test_a_session_expires_by_its_age(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `created_before` of `find_expired`: by `created_at`, in any status, whatever changed since."""
        for session in (aged("old", created=11, updated=1, status="pending"), aged("young", created=9)):
            store.save_session(session)
        policy = RetentionPolicy(max_session_age_days=10, max_completed_session_age_days=None)
        assert maintenance.soft_delete_expired_sessions(policy) == 1
        assert ids(store.list_sessions()) == ["young"]

    def test_a_session_expires_when_it_is_idle(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `idle_before` of `find_expired`: by the last event, whatever else changed; or by `created_at`."""
        for name in ("idle", "busy", "empty", "new"):
            store.save_session(aged(name, created=5 if name == "new" else 99, updated=1, status="pending"))
        for name, days in (("idle", (20, 11)), ("busy", (20, 9))):
            store.append_events([an_event(name, timestamp=days_ago(one)) for one in days])
        policy = RetentionPolicy(max_idle_days=10, max_completed_session_age_days=None)
        assert maintenance.execute(policy, dry_run=True).sessions_soft_deleted == 2
        assert maintenance.soft_delete_expired_sessions(policy) == 2
        assert sorted(ids(store.list_sessions())) == ["busy", "new"]

    @pytest.mark.parametrize("status", ENDED)
    def test_a_session_expires_after_it_ended(self, store: SessionStore, maintenance: Maintenance, status: str) -> None:
        """Check `ended_before` of `find_expired`: by `updated_at`, whenever it was created."""
        for session in (
            aged("old", created=99, updated=11, status=status),
            aged("young", created=99, updated=9, status=status),
        ):
            store.save_session(session)
        assert maintenance.soft_delete_expired_sessions(RetentionPolicy(max_completed_session_age_days=10)) == 1
        assert ids(store.list_sessions()) == ["young"]

    @pytest.mark.parametrize("status", ["pending", "active", "paused"])
    def test_a_session_that_has_not_ended_is_not_old_by_its_end(
        self, store: SessionStore, maintenance: Maintenance, status: str
    ) -> None:
        """Check `ended_before` of `find_expired`: only completed, failed and cancelled sessions have ended."""
        store.save_session(aged("old", created=999, status=status))
        policy = RetentionPolicy(max_completed_session_age_days=10, exempt_statuses=())
        assert maintenance.soft_delete_expired_sessions(policy) == 0

    def test_nothing_expires_without_a_limit(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check the fields of the policy: None is unlimited."""
        store.save_session(aged("old", created=9999))
        assert maintenance.soft_delete_expired_sessions(RetentionPolicy(max_completed_session_age_days=None)) == 0

    def test_either_limit_lets_a_session_expire(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `find_expired`: one reason is enough, and two count once."""
        for session in (
            aged("by age", created=30, updated=1, status="pending"),
            aged("by end", created=15, updated=15),
            aged("by both", created=30, updated=30),
            aged("by none", created=15, updated=1),
        ):
            store.save_session(session)
        policy = RetentionPolicy(max_session_age_days=20, max_completed_session_age_days=10)
        assert maintenance.soft_delete_expired_sessions(policy) == 3
        assert ids(store.list_sessions()) == ["by none"]

    def test_a_limit_of_zero_days_lets_everything_expire(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Look for a zero that is taken for None."""
        store.save_session(aged("young", created=0.001))
        assert maintenance.soft_delete_expired_sessions(RetentionPolicy(max_completed_session_age_days=0)) == 1

    def test_soft_deletion_changes_the_time_of_deletion_and_nothing_else(
        self, store: SessionStore, maintenance: Maintenance
    ) -> None:
        """Check `soft_delete_sessions`: `updated_at` stays, runs and events stay."""
        session = store.save_session(aged("old", created=100))
        run = store.save_run(a_run(session))
        events = store.append_events(some_events(session, 2))
        before = datetime.now(UTC)
        maintenance.soft_delete_expired_sessions(RetentionPolicy())
        found = store.get_session("old")
        assert found.deleted_at is not None
        assert before <= found.deleted_at <= datetime.now(UTC)
        assert changed(found, deleted_at=None) == session
        assert (store.list_runs("old"), store.get_events("old")) == ([run], events)

    def test_a_session_is_soft_deleted_once(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `find_expired`: it leaves out what is soft-deleted already, and its time stays."""
        session = soft_deleted(store, aged("old", created=100), days=5)
        assert maintenance.soft_delete_expired_sessions(RetentionPolicy()) == 0
        assert store.get_session("old") == session


class HardDeleteContract(Contract):
    """Sessions that were soft-deleted long enough ago are removed."""

    def test_a_session_is_removed_so_long_after_it_was_soft_deleted(
        self, store: SessionStore, query: QueryAPI, maintenance: Maintenance
    ) -> None:
        """Check `find_deleted`: by `deleted_at` alone."""
        for name, days in [("long ago", 11), ("lately", 9)]:
            soft_deleted(store, aged(name, created=99), days=days)
        store.save_session(aged("live", created=999))
        assert maintenance.hard_delete_expired_sessions(RetentionPolicy(hard_delete_after_days=10)) == 1
        assert ids(query.search_sessions(include_deleted=True, order_by="created_at_desc")) == ["lately", "live"]

    def test_nothing_is_removed_without_a_limit(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `hard_delete_after_days`: None is never."""
        soft_deleted(store, aged("gone", created=999), days=999)
        assert maintenance.hard_delete_expired_sessions(RetentionPolicy(hard_delete_after_days=None)) == 0
        assert store.get_session("gone").deleted_at is not None

    def test_a_limit_of_zero_days_removes_all_that_is_soft_deleted(
        self, store: SessionStore, maintenance: Maintenance
    ) -> None:
        """Look for a zero that is taken for None."""
        soft_deleted(store, aged("gone", created=1), days=0.001)
        assert maintenance.hard_delete_expired_sessions(RetentionPolicy(hard_delete_after_days=0)) == 1

    def test_runs_and_events_go_with_a_removed_session(
        self, store: SessionStore, query: QueryAPI, maintenance: Maintenance
    ) -> None:
        """Check `_remove_sessions`: runs, events and counter go too, and those of others stay."""
        gone = store.save_session(aged("gone", created=99))
        live = store.save_session(a_session(id="live"))
        for session in (gone, live):
            store.save_run(a_run(session, id=f"run of {session.id}"))
            store.append_events(some_events(session, 3))
        soft_deleted(store, gone, days=99)
        maintenance.hard_delete_expired_sessions(RetentionPolicy())
        with pytest.raises(SessionNotFoundError):
            store.get_session("gone")
        with pytest.raises(RunNotFoundError):
            store.get_run("run of gone")
        assert query.count_events() == 3
        assert store.get_run("run of live").session_id == "live"
        store.save_session(gone)
        assert numbers(store.append_events(some_events(gone, 1))) == [1]

    def test_hard_deletion_leaves_artifacts_to_the_step_for_artifacts(
        self, store: SessionStore, artifacts: ArtifactRegistry, maintenance: Maintenance
    ) -> None:
        """Look for a cascade to artifacts: only `clean_orphaned_artifacts` removes them."""
        session = soft_deleted(store, aged("gone", created=99), days=99)
        artifact = artifacts.register(an_artifact(session_id=session.id))
        assert maintenance.hard_delete_expired_sessions(RetentionPolicy()) == 1
        assert artifacts.get_by_key(artifact.key) == artifact

    def test_what_was_just_soft_deleted_is_not_removed_in_the_same_pass(
        self, store: SessionStore, maintenance: Maintenance
    ) -> None:
        """Check `execute`: a session stays soft-deleted for at least one pass, so that it can be had back."""
        store.save_session(aged("old", created=999))
        report = maintenance.execute(RetentionPolicy(hard_delete_after_days=0))
        assert (report.sessions_soft_deleted, report.sessions_hard_deleted) == (1, 0)
        assert store.get_session("old").deleted_at is not None
