"""Artifacts: found and added up."""

from __future__ import annotations

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_artifact, at, ids
from asm_core import ArtifactRegistry, ArtifactStats, Session, SessionStore


class ReadArtifactsContract(Contract):
    """Artifacts are found by key and by session."""

    @pytest.mark.guarantee("G7")
    def test_an_unknown_key_names_no_artifact(self, artifacts: ArtifactRegistry) -> None:
        """Check `_load_by_key`: None, not an error."""
        assert artifacts.get_by_key("unknown") is None

    def test_a_key_is_found_exactly(self, artifacts: ArtifactRegistry) -> None:
        """Look for a comparison that ignores case or blanks, or takes a pattern."""
        artifacts.register(an_artifact(key="report"))
        assert [artifacts.get_by_key(key) for key in ("Report", "report ", "repor_", "%", "repor")] == [None] * 5

    def test_artifacts_are_listed_oldest_first(self, artifacts: ArtifactRegistry, session: Session) -> None:
        """Check the order of `_find_artifacts`: `created_at`, then the id."""
        for name, second in [("c", 1), ("a", 2), ("b", 1), ("d", 0)]:
            artifacts.register(an_artifact(id=name, key=name, session_id=session.id, created_at=at(second)))
        assert ids(artifacts.list_by_session(session.id)) == ["d", "b", "c", "a"]

    def test_artifacts_are_listed_by_session(
        self, store: SessionStore, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Check the filter of `_find_artifacts` and `_total_artifacts`."""
        other = store.save_session(a_session())
        artifacts.register(an_artifact(key="mine", session_id=session.id))
        artifacts.register(an_artifact(key="other", session_id=other.id))
        artifacts.register(an_artifact(key="nobody's"))
        assert [artifact.key for artifact in artifacts.list_by_session(session.id)] == ["mine"]
        assert artifacts.session_stats(session.id).artifact_count == 1

    def test_locations_of_artifacts_are_found(self, artifacts: ArtifactRegistry) -> None:
        """Check `_find_refs`: only those that were asked for, of this storage, and of deleted artifacts too."""
        artifacts.register(an_artifact(key="a", storage_backend="disk", storage_ref="1"))
        artifacts.register(an_artifact(key="b", storage_backend="disk", storage_ref="2"))
        artifacts.register(an_artifact(key="c", storage_backend="cloud", storage_ref="3"))
        artifacts.delete("b")
        assert artifacts.registered_refs("disk", ["1", "2", "3", "4"]) == {"1", "2"}
        assert artifacts.registered_refs("disk", ["2"]) == {"2"}
        assert artifacts.registered_refs("disk", []) == set()

    def test_artifacts_are_added_up(self, artifacts: ArtifactRegistry, session: Session) -> None:
        """Check `_total_artifacts`: the number and the bytes of the live ones."""
        for size in (3, 4, 5):
            artifacts.register(an_artifact(key=str(size), byte_size=size, session_id=session.id))
        artifacts.delete("4")
        assert artifacts.session_stats(session.id) == ArtifactStats(
            session_id=session.id, artifact_count=2, total_bytes=8
        )

    def test_a_sum_of_bytes_may_be_larger_than_any_artifact(
        self, artifacts: ArtifactRegistry, session: Session
    ) -> None:
        """Look for a sum that overflows 64 bits, or becomes a float."""
        for key in ("a", "b", "c"):
            artifacts.register(an_artifact(key=key, byte_size=2**63 - 1, session_id=session.id))
        assert artifacts.session_stats(session.id).total_bytes == 3 * (2**63 - 1)

    @pytest.mark.guarantee("G7")
    def test_an_unknown_session_has_no_artifacts(self, artifacts: ArtifactRegistry) -> None:
        """Check `list_by_session` and `session_stats`: nothing and zeros, no error."""
        assert artifacts.list_by_session("ses_unknown") == []
        assert artifacts.session_stats("ses_unknown") == ArtifactStats(session_id="ses_unknown")
