"""Artifacts: registered and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import an_artifact, at, changed, full_artifact, label, soft_deleted
from asm_core import (
    AlreadyExistsError,
    ArtifactRegistry,
    Session,
    SessionNotFoundError,
    SessionStore,
)


class RegisterContract(Contract):
    """A key names at most one live artifact."""

    @pytest.mark.guarantee("G9")
    def test_an_artifact_comes_back_equal(self, artifacts: ArtifactRegistry, session: Session) -> None:
        """Check how `_register` writes each field, and at how `_load_by_key` reads it."""
        artifact = full_artifact(session)
        assert artifacts.register(artifact) == artifact
        assert artifacts.get_by_key(artifact.key) == artifact

    @pytest.mark.guarantee("G9")
    def test_an_artifact_may_lack_session_run_and_type(self, artifacts: ArtifactRegistry) -> None:
        """Check the fields of `_register` that may be None."""
        artifact = artifacts.register(an_artifact(byte_size=0))
        assert artifacts.get_by_key(artifact.key) == artifact

    def test_registering_an_equal_artifact_again_is_a_no_op(
        self, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Check `_register`: an equal stored artifact is not a conflict."""
        artifact = full_artifact(session)
        artifacts.register(artifact)
        assert artifacts.register(artifact) == artifact
        assert artifacts.list_by_session(session.id) == [artifact]

    @pytest.mark.parametrize(
        "fields",
        [
            {"id": "art_other"},
            {"key": "another key"},
            {"byte_size": 1},
            {"metadata": {}},
            {"session_id": None},
            {"created_at": at(5)},
        ],
        ids=label,
    )
    def test_another_artifact_under_a_live_id_or_key_is_refused(
        self, artifacts: ArtifactRegistry, session: Session, fields: dict[str, Any]
    ) -> None:
        """Check `_register`: id and key are each taken while the artifact lives, and the first one stays."""
        artifact = artifacts.register(full_artifact(session))
        with pytest.raises(AlreadyExistsError):
            artifacts.register(changed(artifact, **fields))
        assert artifacts.list_by_session(session.id) == [artifact]
        assert artifacts.get_by_key("another key") is None

    def test_the_key_of_a_deleted_artifact_can_be_used_again(
        self, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Check `_register`: the new one takes the place of the deleted one."""
        artifacts.register(full_artifact(session))
        artifacts.delete("reports/2026/summary.txt")
        new = artifacts.register(full_artifact(session, id="art_new", byte_size=1))
        assert artifacts.get_by_key("reports/2026/summary.txt") == new
        assert artifacts.list_by_session(session.id) == [new]

    def test_a_deleted_artifact_may_be_registered_again(self, artifacts: ArtifactRegistry, session: Session) -> None:
        """Check `_register`: the id of the deleted one with this key is free too."""
        artifact = artifacts.register(full_artifact(session))
        artifacts.delete(artifact.key)
        artifacts.register(artifact)
        assert artifacts.get_by_key(artifact.key) == artifact

    def test_the_id_of_a_deleted_artifact_is_not_free_for_another_key(
        self, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Check `_register`: only the place of a deleted one with the same key may be taken."""
        artifact = artifacts.register(full_artifact(session))
        artifacts.delete(artifact.key)
        with pytest.raises(AlreadyExistsError):
            artifacts.register(changed(artifact, key="another key"))
        assert artifacts.get_by_key("another key") is None

    @pytest.mark.guarantee("G7")
    def test_an_artifact_of_an_unknown_session_is_refused(self, artifacts: ArtifactRegistry) -> None:
        """Check `_register`: a missing session is SessionNotFoundError, not an error of the driver."""
        with pytest.raises(SessionNotFoundError):
            artifacts.register(an_artifact(session_id="ses_unknown"))
        assert artifacts.get_by_key("report") is None

    def test_a_soft_deleted_session_takes_artifacts(
        self, store: SessionStore, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Look for a filter by `deleted_at`: a soft-deleted session still exists."""
        soft_deleted(store, session)
        artifact = artifacts.register(an_artifact(session_id=session.id))
        assert artifacts.list_by_session(session.id) == [artifact]

    def test_a_deleted_artifact_is_gone(self, artifacts: ArtifactRegistry, session: Session) -> None:
        """Check `_soft_delete_artifact`, and at the filter by `deleted_at` of each read."""
        artifact = artifacts.register(full_artifact(session))
        artifacts.delete(artifact.key)
        assert artifacts.get_by_key(artifact.key) is None
        assert artifacts.list_by_session(session.id) == []
        assert artifacts.session_stats(session.id).artifact_count == 0

    def test_deleting_one_artifact_leaves_the_others(self, artifacts: ArtifactRegistry) -> None:
        """Check the condition of `_soft_delete_artifact`."""
        artifacts.register(an_artifact(key="one"))
        other = artifacts.register(an_artifact(key="One"))
        artifacts.delete("one")
        assert artifacts.get_by_key("One") == other

    @pytest.mark.guarantee("G7")
    def test_deleting_an_unknown_or_deleted_artifact_is_a_no_op(self, artifacts: ArtifactRegistry) -> None:
        """Check `_soft_delete_artifact`: what is not there is gone already."""
        artifacts.delete("unknown")
        artifacts.register(an_artifact())
        artifacts.delete("report")
        artifacts.delete("report")
        assert artifacts.get_by_key("report") is None
