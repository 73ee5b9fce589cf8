"""Blobs: stored whole, read whole, deleted separately."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import BinaryIO, cast

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.together import in_threads
from asm_core import ArtifactStore, NotFoundError, ValidationError

OpenArtifactStore = Callable[[], ArtifactStore]
"""Opens another handle on the same artifact store at each call."""

LARGE = bytes(range(256)) * 4_000


class _Failing:
    """A file whose second read fails."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, _size: int) -> bytes:
        self.reads += 1
        if self.reads == 2:
            raise ValidationError
        return LARGE


class ArtifactStoreContract(Contract):
    """What an artifact store promises. A subclass names its store with the fixture `open_artifact_store`."""

    @pytest.fixture
    def open_artifact_store(self) -> OpenArtifactStore:
        """Override this: return a function that opens another handle on the test's artifact store."""
        message = f"{type(self).__name__} needs a fixture open_artifact_store, which returns a function that opens it."
        raise NotImplementedError(message)

    @pytest.fixture
    def blobs(self, open_artifact_store: OpenArtifactStore) -> ArtifactStore:
        """Return the main handle."""
        return open_artifact_store()

    @pytest.mark.parametrize("data", [b"", b"\0\r\n\xff", LARGE], ids=["empty", "binary", "large"])
    def test_a_blob_is_read_as_it_was_stored(self, blobs: ArtifactStore, data: bytes) -> None:
        """Check that bytes are stored without a conversion, and that all chunks are written and read in order."""
        blob = blobs.put("a", data)
        assert blob[1:] == (len(data), hashlib.sha256(data).hexdigest())
        assert blobs.get(blob.ref) == data

    def test_a_file_is_stored_from_its_position(self, blobs: ArtifactStore) -> None:
        """Check that `_write` takes every chunk of its content."""
        file = io.BytesIO(LARGE)
        file.seek(10)
        assert blobs.get(blobs.put("a", file).ref) == LARGE[10:]

    def test_a_large_blob_is_read_in_chunks(self, blobs: ArtifactStore) -> None:
        """Check that `_read` yields chunks of bounded size, not the whole blob."""
        chunks = list(blobs.read(blobs.put("a", LARGE * 4).ref))
        assert max(map(len, chunks)) < len(LARGE) * 4
        assert b"".join(chunks) == LARGE * 4

    def test_blobs_of_one_key_are_separate(self, blobs: ArtifactStore) -> None:
        """Check that the location is unique for each put, also for an equal key."""
        first, second = blobs.put("a", b"first"), blobs.put("a", b"second")
        assert (blobs.get(first.ref), blobs.get(second.ref)) == (b"first", b"second")

    def test_equal_blobs_are_deleted_separately(self, blobs: ArtifactStore) -> None:
        """Check that equal content is not shared: deleting one blob must keep the other."""
        first, second = blobs.put("a", b"same"), blobs.put("a", b"same")
        blobs.delete(first.ref)
        assert blobs.get(second.ref) == b"same"

    def test_a_deleted_blob_is_not_found(self, blobs: ArtifactStore) -> None:
        """Check that `_delete` removes the blob and may be repeated, and that `_read` raises NotFoundError then."""
        ref = blobs.put("a", b"data").ref
        blobs.delete(ref)
        blobs.delete(ref)
        with pytest.raises(NotFoundError):
            blobs.get(ref)

    def test_blobs_are_listed_until_they_are_deleted(self, blobs: ArtifactStore) -> None:
        """Check that `_list` yields each location as `_write` returned it."""
        refs = [blobs.put("a", b"%d" % number).ref for number in range(3)]
        assert sorted(blobs.list_refs(older_than=timedelta())) == sorted(refs)
        blobs.delete(refs[0])
        assert sorted(blobs.list_refs(older_than=timedelta())) == sorted(refs[1:])

    def test_a_young_blob_is_not_listed(self, blobs: ArtifactStore) -> None:
        """Check that `_list` leaves out what was stored after the given time: its `put` may be under way."""
        blobs.put("a", b"data")
        assert list(blobs.list_refs(older_than=timedelta(hours=1))) == []

    def test_another_handle_reads_the_blob(self, open_artifact_store: OpenArtifactStore, blobs: ArtifactStore) -> None:
        """Check that a location does not depend on the handle, and that nothing is kept in it."""
        ref = blobs.put("a", b"data").ref
        assert open_artifact_store().get(ref) == b"data"

    def test_an_error_of_the_content_leaves_the_caller(self, blobs: ArtifactStore) -> None:
        """Check that `_write` does not catch what the iteration of its content raises."""
        with pytest.raises(ValidationError):
            blobs.put("a", cast("BinaryIO", _Failing()))

    @pytest.mark.parametrize("key", ["../a", "/a", "a/b", "C:\\a", "ключ", "a" * 512], ids=str)
    def test_a_key_is_no_path(self, blobs: ArtifactStore, key: str) -> None:
        """Check that the key of an artifact is not used as a path without escaping it."""
        assert blobs.get(blobs.put(key, b"data").ref) == b"data"
        assert blobs.name

    def test_threads_store_at_once(self, blobs: ArtifactStore) -> None:
        """Check that `_write` shares nothing between calls, such as a temporary name."""
        found = in_threads(*(partial(blobs.put, "a", b"%d" % number * 9_999) for number in range(8)))
        assert [blobs.get(blob.ref) for blob in found] == [b"%d" % number * 9_999 for number in range(8)]
