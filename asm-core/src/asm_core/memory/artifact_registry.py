"""The artifact registry of the in-memory backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asm_core.errors import SessionNotFoundError
from asm_core.event_log.idempotency import artifact_taken
from asm_core.ports import ArtifactRegistry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.memory.state import State
    from asm_core.models import Artifact


class MemoryArtifactRegistry(ArtifactRegistry):
    """The artifact registry in memory."""

    def __init__(self, state: State) -> None:
        """Register in `state`."""
        self._state = state

    def _register(self, artifact: Artifact) -> None:
        with self._state.transaction():
            if artifact.session_id is not None and not self._state.has_session(artifact.session_id):
                raise SessionNotFoundError(artifact.session_id)
            for other in [self._state.artifacts.get(artifact.id), self._by_key(artifact.key)]:
                if other == artifact:
                    return
                if other is not None and (other.deleted_at is None or other.key != artifact.key):
                    raise artifact_taken(other, artifact)
                if other is not None:
                    self._state.drop(self._state.artifacts, other.id)
            self._state.put(self._state.artifacts, artifact.id, artifact.checked())

    def _load_by_key(self, key: str) -> Artifact | None:
        with self._state.lock:
            artifact = self._by_key(key)
        return None if artifact is None or artifact.deleted_at is not None else artifact.checked()

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return live_artifacts(self._state, session_id)

    def _find_refs(self, storage_backend: str, refs: Sequence[str]) -> set[str]:
        with self._state.lock:
            stored = [one for one in self._state.artifacts.values() if one.storage_backend == storage_backend]
        return {one.storage_ref for one in stored} & set(refs)

    def _total_artifacts(self, session_id: str) -> tuple[int, int]:
        artifacts = live_artifacts(self._state, session_id)
        return len(artifacts), sum(artifact.byte_size for artifact in artifacts)

    def _soft_delete_artifact(self, key: str, at: datetime) -> None:
        with self._state.transaction():
            artifact = self._by_key(key)
            if artifact is not None and artifact.deleted_at is None:
                self._state.put(self._state.artifacts, artifact.id, msgspec.structs.replace(artifact, deleted_at=at))

    def _by_key(self, key: str) -> Artifact | None:
        return next((artifact for artifact in self._state.artifacts.values() if artifact.key == key), None)


def live_artifacts(state: State, session_id: str) -> list[Artifact]:
    """Return the live artifacts of a session by (created_at, id)."""
    with state.lock:
        found = [
            artifact.checked()
            for artifact in state.artifacts.values()
            if artifact.session_id == session_id and artifact.deleted_at is None
        ]
    return sorted(found, key=lambda artifact: (artifact.created_at, artifact.id))
