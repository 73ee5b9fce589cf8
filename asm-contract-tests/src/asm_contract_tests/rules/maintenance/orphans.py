"""Artifacts that nothing owns any more."""

from __future__ import annotations

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_artifact, soft_deleted
from asm_core import ArtifactRegistry, Maintenance, QueryAPI, RetentionPolicy, Session, SessionStore


class OrphansContract(Contract):
    """The metadata of artifacts goes when their session is gone, or long enough after they were deleted."""

    @pytest.fixture
    def owned(self, store: SessionStore, artifacts: ArtifactRegistry, session: Session) -> None:
        """Register artifacts of a session that is gone, of one that is soft-deleted, of one that lives, and of none."""
        for name in ("gone", "soft-deleted"):
            store.save_session(a_session(id=name))
            artifacts.register(an_artifact(key=f"of {name}", session_id=name))
        soft_deleted(store, store.get_session("soft-deleted"), days=1)
        store.delete_session("gone")
        artifacts.register(an_artifact(key="of the living", session_id=session.id))
        artifacts.register(an_artifact(key="of none"))

    @pytest.mark.usefixtures("owned")
    def test_artifacts_of_sessions_that_are_gone_are_removed(
        self, artifacts: ArtifactRegistry, maintenance: Maintenance
    ) -> None:
        """Check `find_removable`: the session is not stored any more; soft-deleted ones are."""
        assert maintenance.clean_orphaned_artifacts() == 1
        keys = ["of gone", "of soft-deleted", "of the living", "of none"]
        assert [artifacts.get_by_key(key) is not None for key in keys] == [False, True, True, True]

    @pytest.mark.usefixtures("owned")
    def test_orphans_are_removed_once(self, maintenance: Maintenance) -> None:
        """Check `remove_artifacts`: they are removed permanently."""
        maintenance.clean_orphaned_artifacts()
        assert maintenance.clean_orphaned_artifacts() == 0

    @pytest.mark.usefixtures("owned")
    def test_a_pass_removes_the_artifacts_of_the_sessions_it_removes(
        self, artifacts: ArtifactRegistry, maintenance: Maintenance
    ) -> None:
        """Check the order of `execute`: artifacts come after sessions."""
        report = maintenance.execute(RetentionPolicy(hard_delete_after_days=0))
        assert (report.sessions_hard_deleted, report.artifacts_removed) == (1, 2)
        assert artifacts.get_by_key("of soft-deleted") is None

    @pytest.mark.parametrize(("days", "removed"), [(0, 1), (1, 0), (None, 0)])
    def test_a_deleted_artifact_is_removed_so_long_after_it_was_deleted(
        self, artifacts: ArtifactRegistry, maintenance: Maintenance, days: int | None, removed: int
    ) -> None:
        """Check `deleted_before` of `find_removable`: `hard_delete_after_days` holds for artifacts too."""
        artifacts.register(an_artifact())
        artifacts.delete("report")
        assert maintenance.execute(RetentionPolicy(hard_delete_after_days=days)).artifacts_removed == removed

    def test_a_live_artifact_is_never_too_old(self, artifacts: ArtifactRegistry, maintenance: Maintenance) -> None:
        """Check `find_removable`: the age of an artifact counts from its deletion only."""
        artifact = artifacts.register(an_artifact())
        assert maintenance.execute(RetentionPolicy(hard_delete_after_days=0)).artifacts_removed == 0
        assert artifacts.get_by_key("report") == artifact

    def test_cleaning_leaves_what_was_merely_deleted(
        self, artifacts: ArtifactRegistry, maintenance: Maintenance
    ) -> None:
        """Check `clean_orphaned_artifacts`: it takes orphans and no others."""
        artifacts.register(an_artifact())
        artifacts.delete("report")
        assert maintenance.clean_orphaned_artifacts() == 0

    @pytest.mark.usefixtures("owned")
    def test_a_removed_artifact_frees_its_key_and_id(
        self, artifacts: ArtifactRegistry, maintenance: Maintenance
    ) -> None:
        """Check `remove_artifacts`: nothing of them may be left."""
        old = artifacts.get_by_key("of gone")
        assert old is not None
        maintenance.clean_orphaned_artifacts()
        new = artifacts.register(an_artifact(key="of gone", id=old.id, byte_size=99))
        assert artifacts.get_by_key("of gone") == new

    @pytest.mark.usefixtures("owned")
    def test_many_orphans_are_removed_in_batches(
        self, store: SessionStore, query: QueryAPI, artifacts: ArtifactRegistry, maintenance: Maintenance
    ) -> None:
        """Check `after` of `find_removable`: ids after the last one."""
        store.save_session(a_session(id="short"))
        for place in range(5):
            artifacts.register(an_artifact(key=str(place), id=f"art_{place}", session_id="short"))
        store.delete_session("short")
        assert maintenance.execute(RetentionPolicy(batch_size=2)).artifacts_removed == 6
        assert artifacts.list_by_session("short") == []
        assert len(query.search_sessions()) == 1
