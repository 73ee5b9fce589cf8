"""The port for the metadata of artifacts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from asm_core.errors import ValidationError
from asm_core.models import Artifact
from asm_core.models.base import check_instance
from asm_core.querying.accounting.summaries import ArtifactStats
from asm_core.querying.queries import check_choice
from asm_core.values.ids import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

from asm_core.values.times import utc_now


class ArtifactRegistry(ABC):
    """Registers blobs that agents stored elsewhere: files, images, archives. A key names at most one live artifact.

    All arguments are checked first (`ValidationError`). Any method may raise `StorageError`.
    """

    def register(self, artifact: Artifact) -> Artifact:
        """Store the metadata of an artifact and return it as stored.

        If an equal artifact is already registered, this is a no-op. The key of a deleted artifact can be used again.

        Raises:
            SessionNotFoundError: the artifact's session does not exist.
            AlreadyExistsError: another artifact has its id or its key.
        """
        artifact = check_instance(Artifact, artifact).checked()
        if artifact.deleted_at is not None:
            message = f"Artifact {artifact.id} is deleted. Register it without deleted_at."
            raise ValidationError(message)
        self._register(artifact)
        return artifact

    def get_by_key(self, key: str) -> Artifact | None:
        """Return the live artifact with this key, or None."""
        return self._load_by_key(check_name("key", key))

    def list_by_session(self, session_id: str) -> list[Artifact]:
        """Return the live artifacts of a session by (`created_at`, id); an empty list if the session does not exist."""
        return self._find_artifacts(check_name("session_id", session_id))

    def registered_refs(self, storage_backend: str, refs: Iterable[str]) -> set[str]:
        """Return those of these locations that an artifact has, a deleted one included."""
        backend = check_name("storage_backend", storage_backend)
        chosen = check_choice("refs", refs, check_name) or ()
        return self._find_refs(backend, chosen) if chosen else set()

    def session_stats(self, session_id: str) -> ArtifactStats:
        """Return the number of live artifacts of a session and their bytes; zeros if the session does not exist."""
        session_id = check_name("session_id", session_id)
        count, total_bytes = self._total_artifacts(session_id)
        return ArtifactStats(session_id=session_id, artifact_count=count, total_bytes=total_bytes)

    def delete(self, key: str) -> None:
        """Soft-delete the live artifact with this key. If there is none, this is a no-op."""
        self._soft_delete_artifact(check_name("key", key), utc_now())

    @abstractmethod
    def _register(self, artifact: Artifact) -> None:
        """Store the artifact in one transaction, and replace a deleted one with its key.

        If an equal live artifact is stored, this is a no-op. Another artifact with its id, or a live one with its key:
        AlreadyExistsError, from `asm_core.event_log.idempotency.artifact_taken`. SessionNotFoundError if its session
        does not exist.
        """

    @abstractmethod
    def _load_by_key(self, key: str) -> Artifact | None:
        """Return the live artifact of this key."""

    @abstractmethod
    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        """Return the live artifacts of a session by (created_at, id)."""

    @abstractmethod
    def _find_refs(self, storage_backend: str, refs: Sequence[str]) -> set[str]:
        """Return those of these locations that an artifact of this storage has, a deleted one included."""

    @abstractmethod
    def _total_artifacts(self, session_id: str) -> tuple[int, int]:
        """Return the number of live artifacts of a session, and the sum of their `byte_size`."""

    @abstractmethod
    def _soft_delete_artifact(self, key: str, at: datetime) -> None:
        """Set `deleted_at` of the live artifact of this key, if there is one."""
