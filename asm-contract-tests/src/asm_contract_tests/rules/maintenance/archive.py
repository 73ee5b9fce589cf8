"""What is archived before it goes."""

from __future__ import annotations

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, changed, days_ago, numbers, soft_deleted, some_events
from asm_core import (
    Backend,
    Maintenance,
    MaintenanceError,
    RetentionPolicy,
    Session,
    SessionNotFoundError,
    SessionStore,
    ValidationError,
)
from asm_core.memory import MemoryBackend


class ArchiveContract(Contract):
    """With `archive_before_prune`, data is archived before it is pruned or removed."""

    @pytest.fixture
    def archive(self) -> SessionStore:
        """Return the store to archive to, of another backend."""
        return MemoryBackend().session_store

    @pytest.mark.parametrize("batch_size", [1, 100])
    def test_pruned_events_are_in_the_archive(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore, session: Session, batch_size: int
    ) -> None:
        """Check `find_events` by ids: what is to be pruned is read for the archive, number and all."""
        run = store.save_run(a_run(session))
        events = store.append_events(some_events(session, 5))
        policy = RetentionPolicy(
            max_events_per_session=2, archive_before_prune=True, archive_store=archive, batch_size=batch_size
        )
        assert maintenance.prune_session_events(session.id, policy) == 3
        assert archive.get_events(session.id) == events[:3]
        assert archive.get_session(session.id) == session
        assert archive.list_runs(session.id) == [run]
        assert archive.get_latest_sequence(session.id) == 5

    def test_events_pruned_of_all_sessions_are_in_the_archive(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore
    ) -> None:
        """Check the archive of a batch that spans sessions: each event goes to its own."""
        for name in ("s1", "s2"):
            store.save_session(a_session(id=name))
            store.append_events(some_events(name, 2))
        policy = RetentionPolicy(max_total_events=0, archive_before_prune=True, archive_store=archive)
        assert maintenance.execute(policy).events_pruned == 4
        assert [numbers(archive.get_events(name)) for name in ("s1", "s2")] == [[1, 2], [1, 2]]

    def test_the_store_itself_is_no_archive(
        self, store: SessionStore, other_backend: Backend, maintenance: Maintenance, session: Session
    ) -> None:
        """Check what the archive is asked before anything goes: what is archived onto itself would be lost."""
        events = store.append_events(some_events(session, 3))
        for archive in (store, other_backend.session_store):
            policy = RetentionPolicy(max_events_per_session=1, archive_before_prune=True, archive_store=archive)
            with pytest.raises(ValidationError, match="the store itself"):
                maintenance.execute(policy)
        assert store.get_events(session.id) == events
        assert store.list_sessions() == [session]

    def test_removed_sessions_are_in_the_archive(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore
    ) -> None:
        """Check the archive of `hard_delete`: session, runs, events and counter, before they go."""
        session = store.save_session(a_session())
        run = store.save_run(a_run(session))
        events = store.append_events(some_events(session, 3))
        session = soft_deleted(store, session, days=99)
        policy = RetentionPolicy(archive_before_prune=True, archive_store=archive)
        assert maintenance.hard_delete_expired_sessions(policy) == 1
        assert archive.get_session(session.id) == session
        assert archive.list_runs(session.id) == [run]
        assert archive.get_events(session.id) == events
        assert archive.get_latest_sequence(session.id) == 3

    def test_a_long_session_is_archived_whole(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore
    ) -> None:
        """Check the pages in which a session is archived: none is lost between them."""
        session = store.save_session(a_session())
        store.append_events(some_events(session, 1001))
        soft_deleted(store, session, days=99)
        maintenance.hard_delete_expired_sessions(RetentionPolicy(archive_before_prune=True, archive_store=archive))
        assert numbers(archive.get_events(session.id)) == list(range(1, 1002))

    def test_an_archive_grows(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore, session: Session
    ) -> None:
        """Check `restore_session`: a second part of a session joins the first."""
        events = store.append_events(some_events(session, 4))
        for most in (3, 1):
            policy = RetentionPolicy(max_events_per_session=most, archive_before_prune=True, archive_store=archive)
            maintenance.prune_session_events(session.id, policy)
        assert archive.get_events(session.id) == events[:3]

    def test_the_last_state_of_a_session_and_its_runs_is_in_the_archive(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore, session: Session
    ) -> None:
        """Check an archive that an earlier pass began: what has changed since must go there too."""
        run = store.save_run(a_run(session, status="running"))
        store.append_events(some_events(session, 4))
        policy = RetentionPolicy(max_events_per_session=2, archive_before_prune=True, archive_store=archive)
        maintenance.prune_session_events(session.id, policy)
        run = store.save_run(run.with_output({"answer": 42}).with_status("completed"))
        session = soft_deleted(store, changed(session, tags=("final",)), days=99)
        assert maintenance.hard_delete_expired_sessions(policy) == 1
        assert (archive.get_session(session.id), archive.list_runs(session.id)) == (session, [run])
        assert numbers(archive.get_events(session.id)) == [1, 2, 3, 4]

    def test_what_stays_is_not_archived(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore, session: Session
    ) -> None:
        """Look for an archive that is filled beforehand: only what goes goes there."""
        store.append_events(some_events(session, 2))
        store.save_session(a_session(id="old", status="completed", created_at=days_ago(99)))
        policy = RetentionPolicy(max_events_per_session=2, archive_before_prune=True, archive_store=archive)
        assert maintenance.execute(policy).sessions_soft_deleted == 1
        assert archive.list_sessions() == []

    def test_nothing_goes_that_could_not_be_archived(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore, session: Session
    ) -> None:
        """Check the order within a batch: the archive first, and its error ends the batch."""
        store.append_events(some_events(session, 3))
        archive.restore_session(session, events=[an_event(session).numbered(2)])
        policy = RetentionPolicy(max_events_per_session=0, archive_before_prune=True, archive_store=archive)
        with pytest.raises(MaintenanceError, match=session.id):
            maintenance.execute(policy)
        assert numbers(store.get_events(session.id)) == [1, 2, 3]

    def test_a_dry_run_archives_nothing(
        self, store: SessionStore, maintenance: Maintenance, archive: SessionStore, session: Session
    ) -> None:
        """Look for an archive that ignores `dry_run`."""
        store.append_events(some_events(session, 3))
        soft_deleted(store, a_session(), days=99)
        policy = RetentionPolicy(max_events_per_session=0, archive_before_prune=True, archive_store=archive)
        maintenance.execute(policy, dry_run=True)
        with pytest.raises(SessionNotFoundError):
            archive.get_session(session.id)
        assert archive.list_sessions() == []
