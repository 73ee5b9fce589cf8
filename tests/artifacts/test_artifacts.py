"""Content and metadata of artifacts are stored as one, and checked when they are read."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import asm_core as asm

if TYPE_CHECKING:
    from pathlib import Path


def files(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()]


def test_put_registers_what_it_stored(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    session = backend.session_store.save_session(asm.Session.new(agent_id="painter"))
    stored = artifacts.put(
        "cat.png", io.BytesIO(b"miaow"), session_id=session.id, content_type="image/png", metadata={"width": 1}
    )
    assert backend.artifact_registry.get_by_key("cat.png") == stored
    assert (stored.byte_size, stored.content_type, stored.metadata) == (5, "image/png", {"width": 1})
    assert artifacts.get("cat.png") == b"miaow"


def test_copy_writes_the_content_to_a_file(artifacts: asm.Artifacts) -> None:
    stored, file = artifacts.put("big", b"ab" * 400_000), io.BytesIO()
    assert artifacts.copy_to("big", file) == stored
    assert file.getvalue() == b"ab" * 400_000


def test_unknown_session_leaves_nothing(backend: asm.Backend, artifacts: asm.Artifacts, place: Path) -> None:
    with pytest.raises(asm.SessionNotFoundError):
        artifacts.put("a", b"data", session_id="ses_missing")
    assert backend.artifact_registry.get_by_key("a") is None
    assert files(place) == []


def test_taken_key_keeps_the_first_artifact(artifacts: asm.Artifacts, place: Path) -> None:
    artifacts.put("a", b"first")
    with pytest.raises(asm.AlreadyExistsError):
        artifacts.put("a", b"second")
    assert artifacts.get("a") == b"first"
    assert len(files(place)) == 1


def test_content_that_cannot_be_stored_is_not_registered(
    backend: asm.Backend, artifacts: asm.Artifacts, place: Path
) -> None:
    (place / "incoming").rmdir()
    with pytest.raises(asm.StorageError):
        artifacts.put("a", b"data")
    assert backend.artifact_registry.get_by_key("a") is None


@pytest.mark.parametrize(
    "arguments", [{"key": ""}, {"key": "a", "metadata": {"x": object()}}, {"key": "a", "run_id": 1}]
)
def test_invalid_arguments_store_nothing(artifacts: asm.Artifacts, place: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(asm.ValidationError):
        artifacts.put(data=b"data", **arguments)  # type: ignore[arg-type]
    assert files(place) == []


@pytest.mark.parametrize("content", [b"", b"dat", b"dath", b"data and more"])
def test_changed_content_is_an_error(artifacts: asm.Artifacts, place: Path, content: bytes) -> None:
    artifacts.put("a", b"data")
    (blob,) = files(place)
    blob.write_bytes(content)
    with pytest.raises(asm.StorageError, match=r"artifact 'a' .* is not what was stored"):
        artifacts.get("a")


def test_missing_artifact_and_missing_content_are_not_found(artifacts: asm.Artifacts, place: Path) -> None:
    with pytest.raises(asm.NotFoundError, match="No live artifact has the key 'a'"):
        artifacts.get("a")
    artifacts.put("a", b"data")
    files(place)[0].unlink()
    with pytest.raises(asm.NotFoundError, match="No blob is stored at"):
        artifacts.get("a")


def test_content_of_another_storage_is_not_read(backend: asm.Backend, artifacts: asm.Artifacts) -> None:
    backend.artifact_registry.register(
        asm.Artifact.new(key="a", byte_size=1, checksum_sha256="ab" * 32, storage_backend="s3", storage_ref="x")
    )
    with pytest.raises(asm.ValidationError, match="is in the storage 's3', not in 'directory'"):
        artifacts.get("a")


def test_artifacts_need_a_store(backend: asm.Backend) -> None:
    with pytest.raises(asm.ValidationError, match="must be an ArtifactStore, not 'blobs'"):
        backend.artifacts("blobs")  # type: ignore[arg-type]


class Lost(asm.ArtifactRegistry):
    """A registry that commits, and then loses the connection."""

    def __init__(self) -> None:
        self.registered: list[asm.Artifact] = []

    def _register(self, artifact: asm.Artifact) -> None:
        self.registered.append(artifact)
        raise asm.StorageConnectionError

    def _load_by_key(self, key: str) -> asm.Artifact | None:
        return next((one for one in self.registered if one.key == key), None)

    def _find_artifacts(self, session_id: str) -> list[asm.Artifact]:
        raise NotImplementedError

    def _find_refs(self, storage_backend: str, refs: object) -> set[str]:
        raise NotImplementedError

    def _total_artifacts(self, session_id: str) -> tuple[int, int]:
        raise NotImplementedError

    def _soft_delete_artifact(self, key: str, at: object) -> None:
        raise NotImplementedError


def test_content_stays_when_the_commit_is_unknown(store: asm.DirectoryArtifactStore) -> None:
    artifacts = asm.Artifacts(store, Lost())
    with pytest.raises(asm.StorageConnectionError):
        artifacts.put("a", b"data")
    assert artifacts.get("a") == b"data"


def test_artifacts_are_awaited(store: asm.DirectoryArtifactStore) -> None:
    async def main() -> bytes:
        async with asm.aio.open_backend("memory") as backend:
            artifacts = backend.artifacts(store)
            stored = await artifacts.put("a", b"data")
            assert await backend.artifact_registry.get_by_key("a") == stored
            assert await artifacts.copy_to("a", io.BytesIO()) == stored
            return await artifacts.get("a")

    assert asyncio.run(main()) == b"data"


@pytest.mark.parametrize("gone", ["hard deletion", "erasure", "never registered"])
def test_content_without_an_artifact_is_removed(
    backend: asm.Backend, store: asm.DirectoryArtifactStore, artifacts: asm.Artifacts, place: Path, gone: str
) -> None:
    session = backend.session_store.save_session(asm.Session.new(agent_id="a", user_id="ann"))
    artifacts.put("kept", b"kept")
    if gone == "never registered":
        store.put("lost", b"lost")
    else:
        artifacts.put("lost", b"lost", session_id=session.id)
    if gone == "erasure":
        backend.maintenance.erase_user("ann")
    elif gone == "hard deletion":
        backend.session_store.delete_session(session.id)
        backend.maintenance.clean_orphaned_artifacts()
    assert artifacts.remove_orphans() == 0  # too young
    assert artifacts.remove_orphans(older_than=timedelta()) == 1
    assert artifacts.get("kept") == b"kept"
    assert [path.read_bytes() for path in files(place)] == [b"kept"]


def test_the_content_of_a_deleted_artifact_stays_until_the_artifact_is_removed(
    backend: asm.Backend, artifacts: asm.Artifacts
) -> None:
    artifacts.put("a", b"data")
    backend.artifact_registry.delete("a")
    assert artifacts.remove_orphans(older_than=timedelta()) == 0
