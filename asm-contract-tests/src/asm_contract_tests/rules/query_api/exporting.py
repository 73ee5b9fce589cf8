"""Exports."""

from __future__ import annotations

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, at, soft_deleted, some_events
from asm_core import (
    ArtifactRegistry,
    Maintenance,
    QueryAPI,
    RetentionPolicy,
    Session,
    SessionExport,
    SessionNotFoundError,
    SessionStore,
)


class ExportContract(Contract):
    """`export_session` gives everything that is stored of a session."""

    def test_an_export_holds_all_of_a_session(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check `export_session`: runs by start, events by number, and nothing of another session."""
        runs = [store.save_run(a_run(session, id=name, started_at=at(second))) for name, second in [("b", 1), ("a", 2)]]
        events = store.append_events(some_events(session, 3))
        other = store.save_session(a_session())
        store.save_run(a_run(other))
        store.append_event(an_event(other))
        assert query.export_session(session.id) == SessionExport(
            session=session, runs=runs, events=events, artifacts=[], last_sequence=3
        )

    def test_an_export_without_artifacts_has_none(
        self, query: QueryAPI, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Check `include_artifacts`: it is off."""
        artifacts.register(an_artifact(session_id=session.id))
        assert query.export_session(session.id).artifacts == []

    def test_an_export_has_the_live_artifacts(
        self, query: QueryAPI, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Check `_find_artifacts`: the live ones of this session, oldest first."""
        for key, second in [("late", 2), ("early", 1), ("gone", 0)]:
            artifacts.register(an_artifact(key=key, session_id=session.id, created_at=at(second)))
        artifacts.register(an_artifact(key="of no session"))
        artifacts.delete("gone")
        exported = query.export_session(session.id, include_artifacts=True).artifacts
        assert [artifact.key for artifact in exported] == ["early", "late"]
        assert exported == artifacts.list_by_session(session.id)

    def test_a_soft_deleted_session_is_exported(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for a filter by `deleted_at`: a soft-deleted session still exists."""
        session = soft_deleted(store, a_session(), days=1)
        assert query.export_session(session.id).session == session

    @pytest.mark.guarantee("G1")
    def test_an_export_keeps_the_last_number_of_a_pruned_event(
        self, store: SessionStore, query: QueryAPI, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `last_sequence`: the counter, not the greatest number that is left."""
        store.append_events(some_events(session, 5))
        maintenance.prune_session_events(session.id, RetentionPolicy(max_events_per_session=0))
        exported = query.export_session(session.id)
        assert (exported.events, exported.last_sequence) == ([], 5)

    @pytest.mark.guarantee("G9")
    def test_an_export_can_be_restored(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check `restore_session`: it is the inverse of `export_session`."""
        store.save_run(a_run(session))
        store.append_events(some_events(session, 3))
        exported = query.export_session(session.id)
        store.delete_session(session.id)
        store.restore_session(exported.session, exported.runs, exported.events, last_sequence=exported.last_sequence)
        assert query.export_session(session.id) == exported

    @pytest.mark.guarantee("G7")
    @pytest.mark.parametrize("include_artifacts", [False, True])
    def test_an_unknown_session_is_not_exported(self, query: QueryAPI, *, include_artifacts: bool) -> None:
        """Check `export_session`: an unknown session is SessionNotFoundError."""
        with pytest.raises(SessionNotFoundError):
            query.export_session("ses_unknown", include_artifacts=include_artifacts)
