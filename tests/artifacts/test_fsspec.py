"""Blobs in storages of fsspec; S3 is a local server."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.rules.artifact_store import ArtifactStoreContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class TestMemory(ArtifactStoreContract):
    @pytest.fixture
    def open_artifact_store(self) -> Callable[[], asm.ArtifactStore]:
        url = f"memory://{uuid.uuid4().hex}"
        return lambda: asm.FsspecArtifactStore(url)


class TestLocal(ArtifactStoreContract):
    @pytest.fixture
    def open_artifact_store(self, tmp_path: Path) -> Callable[[], asm.ArtifactStore]:
        return lambda: asm.FsspecArtifactStore(f"file://{tmp_path}/blobs")


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  it takes a second

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str) -> dict[str, Any]:
    """Return the options of a bucket of the test's own."""
    return {"endpoint_url": s3_server, "key": "test", "secret": "test"}


class TestS3(ArtifactStoreContract):
    @pytest.fixture
    def open_artifact_store(self, s3: dict[str, Any]) -> Callable[[], asm.ArtifactStore]:
        import s3fs  # noqa: PLC0415  it takes a second

        bucket = f"bucket-{uuid.uuid4().hex}"
        s3fs.S3FileSystem(**s3).mkdir(bucket)
        return lambda: asm.FsspecArtifactStore(f"s3://{bucket}/artifacts", **s3)


def test_a_storage_that_is_not_there_is_an_error_of_storage() -> None:
    store = asm.FsspecArtifactStore(
        "s3://bucket/artifacts",
        endpoint_url="http://127.0.0.1:9",
        key="test",
        secret="test",  # noqa: S106  not a secret
        config_kwargs={"retries": {"max_attempts": 0}},
    )
    with pytest.raises(asm.StorageError, match="bucket/artifacts failed"):
        store.put("a", b"data")


@pytest.mark.parametrize("url", ["nowhere://a", ""])
def test_an_unknown_kind_of_storage_is_refused(url: str) -> None:
    with pytest.raises(asm.ValidationError):
        asm.FsspecArtifactStore(url)


@pytest.mark.parametrize("ref", ["../secret", "2026/11/27/../../secret000000000000000000", "a"])
def test_a_location_outside_of_the_storage_is_refused(ref: str) -> None:
    with pytest.raises(asm.ValidationError, match="is no location"):
        asm.FsspecArtifactStore("memory://store").get(ref)
