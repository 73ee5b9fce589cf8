"""Sessions: deleted permanently."""

from __future__ import annotations

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, numbers, soft_deleted, some_events
from asm_core import (
    ArtifactRegistry,
    QueryAPI,
    RunNotFoundError,
    Session,
    SessionNotFoundError,
    SessionStore,
)


class DeleteSessionContract(Contract):
    """`delete_session` removes a session with its runs, events and counter, and nothing else."""

    def test_a_deleted_session_is_gone(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check `_delete_session`: this is no soft deletion."""
        store.delete_session(session.id)
        with pytest.raises(SessionNotFoundError):
            store.get_session(session.id)
        assert query.search_sessions(include_deleted=True).items == []

    def test_its_runs_go_with_a_session(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check how `_delete_session` removes runs."""
        run = store.save_run(a_run(session))
        store.delete_session(session.id)
        with pytest.raises(RunNotFoundError):
            store.get_run(run.id)
        assert query.search_runs().items == []

    def test_its_events_go_with_a_session(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check how `_delete_session` removes events."""
        store.append_events(some_events(session, 3))
        store.delete_session(session.id)
        assert query.count_events() == 0

    def test_a_session_that_is_created_again_begins_at_one(self, store: SessionStore, session: Session) -> None:
        """Check how `_delete_session` removes the counter."""
        store.append_events(some_events(session, 3))
        store.delete_session(session.id)
        store.save_session(session)
        assert store.get_latest_sequence(session.id) == 0
        assert numbers(store.append_events(some_events(session, 1))) == [1]

    def test_ids_of_deleted_things_are_free_again(self, store: SessionStore, session: Session) -> None:
        """Look for rows that `_delete_session` does not delete."""
        other = store.save_session(a_session())
        store.append_event(an_event(session, id="evt_1", data={"was": 1}))
        store.save_run(a_run(session, id="run_1"))
        store.delete_session(session.id)
        assert store.append_event(an_event(other, id="evt_1")).session_id == other.id
        assert store.save_run(a_run(other, id="run_1")) == store.get_run("run_1")

    def test_other_sessions_stay(self, store: SessionStore, session: Session) -> None:
        """Check the conditions of `_delete_session`."""
        other = store.save_session(a_session(parent_session_id=session.id))
        run = store.save_run(a_run(other))
        events = store.append_events(some_events(other, 2))
        store.delete_session(session.id)
        assert store.get_session(other.id) == other
        assert store.list_runs(other.id) == [run]
        assert store.get_events(other.id) == events
        assert store.get_latest_sequence(other.id) == 2

    def test_artifacts_stay_when_their_session_is_deleted(
        self, store: SessionStore, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Look for a cascade to artifacts: only `Maintenance.clean_orphaned_artifacts` removes them."""
        artifact = artifacts.register(an_artifact(session_id=session.id))
        store.delete_session(session.id)
        assert artifacts.get_by_key(artifact.key) == artifact

    @pytest.mark.guarantee("G7")
    def test_deleting_an_unknown_session_is_a_no_op(self, store: SessionStore, session: Session) -> None:
        """Check `_delete_session`: an unknown id is a no-op."""
        store.delete_session("ses_unknown")
        assert store.list_sessions() == [session]

    def test_deleting_twice_is_a_no_op(self, store: SessionStore, session: Session) -> None:
        """Check `_delete_session`: an unknown id is a no-op."""
        store.delete_session(session.id)
        store.delete_session(session.id)
        assert store.list_sessions() == []

    def test_a_soft_deleted_session_can_be_deleted_for_good(self, store: SessionStore, session: Session) -> None:
        """Check `_delete_session`: it must find sessions that are soft-deleted."""
        soft_deleted(store, session)
        store.delete_session(session.id)
        with pytest.raises(SessionNotFoundError):
            store.get_session(session.id)
