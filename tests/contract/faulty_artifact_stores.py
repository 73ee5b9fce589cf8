"""Artifact stores in memory: a sound one, and faulty ones with the test that must catch each."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import timedelta
from itertools import islice
from secrets import token_hex
from typing import TYPE_CHECKING, ClassVar

from asm_core import ArtifactStore, NotFoundError, ValidationError
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from asm_core.ports import Content

CHUNK = 1_000


class Sound(ArtifactStore):
    """Blobs in a dict, which all handles of a test share."""

    name = "memory"
    caught_by: ClassVar[str] = ""

    def __init__(self, blobs: dict[str, bytes]) -> None:
        self.blobs = blobs

    def _write(self, key: str, content: Content) -> str:  # noqa: ARG002  a random location
        ref = token_hex(16)
        self.blobs[ref] = b"".join(content)
        return ref

    def _read(self, ref: str) -> Iterator[bytes]:
        if ref not in self.blobs:
            raise NotFoundError
        data = self.blobs[ref]
        yield from (data[start : start + CHUNK] for start in range(0, len(data), CHUNK))

    def _list(self, before: datetime) -> Iterator[str]:
        # A test lasts seconds, so all of its blobs are of the last minute.
        return iter(list(self.blobs) if before > utc_now() - timedelta(minutes=1) else [])

    def _delete(self, ref: str) -> None:
        self.blobs.pop(ref, None)


class ConvertsLines(Sound):
    caught_by = "test_a_blob_is_read_as_it_was_stored"

    def _read(self, ref: str) -> Iterator[bytes]:
        return (chunk.replace(b"\r\n", b"\n") for chunk in super()._read(ref))


class FirstChunkOnly(Sound):
    caught_by = "test_a_file_is_stored_from_its_position"

    def _write(self, key: str, content: Content) -> str:
        ref = super()._write(key, content)
        self.blobs[ref] = self.blobs[ref][: 256 * 1024]
        return ref


class ReadsWhole(Sound):
    caught_by = "test_a_large_blob_is_read_in_chunks"

    def _read(self, ref: str) -> Iterator[bytes]:
        yield b"".join(super()._read(ref))


class NamedByKey(Sound):
    caught_by = "test_blobs_of_one_key_are_separate"

    def _write(self, key: str, content: Content) -> str:
        self.blobs[key] = b"".join(content)
        return key


class SharesEqualBlobs(Sound):
    caught_by = "test_equal_blobs_are_deleted_separately"

    def _write(self, key: str, content: Content) -> str:  # noqa: ARG002
        data = b"".join(content)
        ref = hashlib.sha256(data).hexdigest()
        self.blobs[ref] = data
        return ref


class EmptyWhenDeleted(Sound):
    caught_by = "test_a_deleted_blob_is_not_found"

    def _delete(self, ref: str) -> None:
        self.blobs[ref] = b""


class ListsNothing(Sound):
    caught_by = "test_blobs_are_listed_until_they_are_deleted"

    def _list(self, before: datetime) -> Iterator[str]:  # noqa: ARG002  the fault
        return iter(())


class ListsAll(Sound):
    caught_by = "test_a_young_blob_is_not_listed"

    def _list(self, before: datetime) -> Iterator[str]:  # noqa: ARG002  the fault
        return iter(list(self.blobs))


class KeptInTheHandle(Sound):
    caught_by = "test_another_handle_reads_the_blob"

    def __init__(self, blobs: dict[str, bytes]) -> None:  # noqa: ARG002
        super().__init__({})


class HidesErrors(Sound):
    caught_by = "test_an_error_of_the_content_leaves_the_caller"

    def _write(self, key: str, content: Content) -> str:
        with contextlib.suppress(ValidationError):
            return super()._write(key, content)
        return "nothing"


class KeyAsPath(Sound):
    caught_by = "test_a_key_is_no_path"

    def _write(self, key: str, content: Content) -> str:
        ref = super()._write(key, content)
        if "/" in key:
            self.blobs.pop(ref)
        return ref


class OneTemporaryName(Sound):
    caught_by = "test_threads_store_at_once"
    count = 0

    def _write(self, key: str, content: Content) -> str:
        type(self).count += 1
        ref = super()._write(key, content)
        if self.count > 1:
            self.blobs[ref] = next(islice(self.blobs.values(), 1))
        return ref


FAULTY = [
    kind for kind in list(vars().values()) if isinstance(kind, type) and issubclass(kind, Sound) and kind.caught_by
]
