"""Arguments that the ports refuse, whatever the adapter: the checks are core's."""

from __future__ import annotations

from typing import Any

import pytest
from on_memory import OnMemory

from asm_contract_tests.making import SHA256, at, full_artifact, label
from asm_core import (
    ArtifactRegistry,
    Session,
    ValidationError,
)


class TestArtifactRegistryArguments(OnMemory):
    @pytest.mark.parametrize("method", ["get_by_key", "list_by_session", "session_stats", "delete"])
    def test_a_senseless_name_is_refused(self, artifacts: ArtifactRegistry, method: str) -> None:
        """Check the public methods of the registry: names are checked before the store is asked."""
        senseless: list[Any] = ["", "\0", "\ud800", "x" * 513, None, 1, b"key"]
        for value in senseless:
            with pytest.raises(ValidationError):
                getattr(artifacts, method)(value)

    @pytest.mark.parametrize(
        "fields",
        [
            {"id": ""},
            {"session_id": 1},
            {"run_id": ""},
            {"key": "\0"},
            {"content_type": ""},
            {"byte_size": -1},
            {"byte_size": 2**63},
            {"checksum_sha256": SHA256.upper()},
            {"checksum_sha256": "abc"},
            {"storage_backend": None},
            {"storage_ref": ""},
            {"metadata": {"not": float("nan")}},
            {"created_at": at(0).replace(tzinfo=None)},
            {"deleted_at": at(0)},
        ],
        ids=label,
    )
    @pytest.mark.guarantee("G9")
    def test_an_artifact_that_cannot_be_kept_is_refused(
        self, artifacts: ArtifactRegistry, session: Session, fields: dict[str, Any]
    ) -> None:
        """Check `register`: it checks the model again, and takes no deleted one."""
        with pytest.raises(ValidationError):
            artifacts.register(full_artifact(session, **fields))
        assert artifacts.list_by_session(session.id) == []

    @pytest.mark.parametrize("value", [None, "key", {}, object()])
    def test_only_an_artifact_is_registered(self, artifacts: ArtifactRegistry, value: Any) -> None:
        """Check `register`: it refuses what is no Artifact."""
        with pytest.raises(ValidationError):
            artifacts.register(value)
