"""Artifacts: content in an artifact store, metadata in a registry."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from asm_core.errors import AsmError, NotFoundError, StorageError, ValidationError, short_repr
from asm_core.models import Artifact
from asm_core.ports.artifact_store import ArtifactStore
from asm_core.values.digests import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.ports.artifact_registry import ArtifactRegistry
    from asm_core.values.payloads import Payload

_UNKNOWN: Final = "0" * 64
_AT_ONCE: Final = 500
"""Locations that are looked up in one query."""


class Artifacts:
    """Stores artifacts: their content in an `ArtifactStore`, their metadata in an `ArtifactRegistry`."""

    def __init__(self, store: ArtifactStore, registry: ArtifactRegistry) -> None:
        """Store content in `store`, and register it in `registry`."""
        if not isinstance(store, ArtifactStore):
            message = f"store must be an ArtifactStore, not {short_repr(store)}."
            raise ValidationError(message)
        self._store = store
        self._registry = registry

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        session_id: str | None = None,
        run_id: str | None = None,
        content_type: str | None = None,
        metadata: Payload | None = None,
    ) -> Artifact:
        """Store the content, then register it with its size and hash; return the artifact as registered.

        `data` is bytes, or a binary file, which is read from its current position in bounded chunks. If the content
        cannot be stored, nothing is registered. If the registry rejects the artifact, the content is removed.

        Raises:
            SessionNotFoundError: the session does not exist.
            AlreadyExistsError: a live artifact has this key.
            StorageError: if the registry raised it, the artifact may be registered; its content is kept.
        """
        draft = Artifact.new(
            key=key,
            session_id=session_id,
            run_id=run_id,
            content_type=content_type,
            metadata=metadata,
            byte_size=0,
            checksum_sha256=_UNKNOWN,
            storage_backend=self._store.name,
            storage_ref=key,
        )  # checks the arguments before anything is stored
        blob = self._store.put(key, data)
        artifact = msgspec.structs.replace(
            draft, byte_size=blob.byte_size, checksum_sha256=blob.checksum_sha256, storage_ref=blob.ref
        )
        try:
            return self._registry.register(artifact)
        except StorageError:
            raise  # a lost connection leaves open whether it committed: the content must stay
        except AsmError as error:
            self._discard(blob.ref, error)
            raise

    def find(self, key: str) -> Artifact | None:
        """Return the live artifact with this key, or None."""
        return self._registry.get_by_key(key)

    def get(self, key: str) -> bytes:
        """Return the content of the live artifact with this key.

        Raises:
            NotFoundError: no live artifact has this key, or its content is missing.
            StorageError: the content has another size or hash than the registered one.
        """
        return b"".join(self._checked(self._existing(key)))

    def copy_to(self, key: str, file: BinaryIO) -> Artifact:
        """Write the content to a binary file in bounded chunks, and return the artifact.

        Raises:
            NotFoundError: no live artifact has this key, or its content is missing.
            StorageError: the content has another size or hash than the registered one. What was written is invalid.
        """
        artifact = self._existing(key)
        file.writelines(self._checked(artifact))
        return artifact

    def remove_orphans(self, *, older_than: timedelta = timedelta(days=1)) -> int:
        """Remove content that no artifact has, and return the number of blobs.

        It remains after a hard deletion, an erasure, an artifact that was registered again under its key, or a process
        that was killed between storing and registering. Run this regularly, as maintenance. A blob that is younger than
        `older_than` is kept, because its `put` may be under way. Content that other registries have in the same store
        would be lost: give each its own.

        Raises:
            StorageError: the store or the registry failed; what was removed before stays removed.
        """
        removed = 0
        refs = self._store.list_refs(older_than=older_than)
        while chunk := list(islice(refs, _AT_ONCE)):
            for ref in sorted(set(chunk) - self._registry.registered_refs(self._store.name, chunk)):
                self._store.delete(ref)
                removed += 1
        return removed

    def _existing(self, key: str) -> Artifact:
        artifact = self.find(key)
        if artifact is None:
            message = f"No live artifact has the key {short_repr(key)}. Store it first with put()."
            raise NotFoundError(message, details={"key": key})
        if artifact.storage_backend != self._store.name:
            message = (
                f"The content of artifact {short_repr(key)} is in the storage {artifact.storage_backend!r}, not in "
                f"{self._store.name!r}. Read it with the store that it was stored with."
            )
            raise ValidationError(message)
        return artifact

    def _checked(self, artifact: Artifact) -> Iterator[bytes]:
        found, size = sha256(), 0
        for chunk in self._store.read(artifact.storage_ref):
            found.update(chunk)
            size += len(chunk)
            if size > artifact.byte_size:
                break
            yield chunk
        if size != artifact.byte_size or found.hexdigest() != artifact.checksum_sha256:
            message = (
                f"The content of artifact {short_repr(artifact.key)} at {short_repr(artifact.storage_ref)} is not what "
                "was stored: its size or its SHA-256 differs from the registered one. Restore it from a copy."
            )
            details = {"key": artifact.key, "storage_ref": artifact.storage_ref, "expected": artifact.checksum_sha256}
            raise StorageError(message, details=details)

    def _discard(self, ref: str, error: AsmError) -> None:
        try:
            self._store.delete(ref)
        except AsmError as failure:
            error.add_note(f"Its content at {short_repr(ref)} could not be removed: {failure}")
