"""The port for the content of artifacts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Final, NamedTuple

from asm_core.errors import ValidationError, short_repr
from asm_core.values.digests import sha256
from asm_core.values.ids import check_name
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

CHUNK: Final = 256 * 1024
"""Bytes that are read at once, so that memory does not depend on the size of a blob."""

_DAY: Final = timedelta(days=1)


class ArtifactBlob(NamedTuple):
    """A stored blob.

    Attributes:
        ref: its location in the store.
        byte_size: its size in bytes.
        checksum_sha256: its SHA-256, as 64 lower-case hex digits.
    """

    ref: str
    byte_size: int
    checksum_sha256: str


class Content:
    """The chunks of a blob that is being stored; its size and hash are those of the chunks that were iterated."""

    def __init__(self, data: bytes | BinaryIO) -> None:
        """Read `data`, which is bytes or a binary file from its current position."""
        if not isinstance(data, bytes | bytearray | memoryview) and not hasattr(data, "read"):
            message = f"data must be bytes or a file that is open in binary mode, not {short_repr(data)}."
            raise ValidationError(message)
        self._data = data
        self._hash = sha256()
        self.byte_size = 0

    @property
    def checksum_sha256(self) -> str:
        """The SHA-256 of the chunks so far, as hex digits."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks, once."""
        for chunk in self._chunks():
            self._hash.update(chunk)
            self.byte_size += len(chunk)
            yield chunk

    def _chunks(self) -> Iterator[bytes]:
        if isinstance(self._data, bytes | bytearray | memoryview):
            yield bytes(self._data)
            return
        while chunk := self._data.read(CHUNK):
            if not isinstance(chunk, bytes):
                message = f"data must be open in binary mode; its read() returned {short_repr(chunk)}."
                raise ValidationError(message)
            yield chunk


class ArtifactStore(ABC):
    """Stores the blobs whose metadata an `ArtifactRegistry` holds. Safe to share between threads and processes.

    Each `put` stores a blob of its own, also if an equal one is stored: deleting one artifact never takes the content
    of another. All arguments are checked first (`ValidationError`). Any method may raise `StorageError`.
    """

    name: ClassVar[str]
    """The kind of storage: `Artifact.storage_backend`."""

    def put(self, key: str, data: bytes | BinaryIO) -> ArtifactBlob:
        """Store a blob durably and return its location, size and hash. A reader sees all of it or nothing.

        `data` is bytes, or a binary file, which is read from its current position in bounded chunks.
        """
        content = Content(data)
        ref = self._write(check_name("key", key), content)
        return ArtifactBlob(ref, content.byte_size, content.checksum_sha256)

    def get(self, ref: str) -> bytes:
        """Return the whole blob.

        Raises:
            NotFoundError: no blob is stored there.
        """
        return b"".join(self.read(ref))

    def read(self, ref: str) -> Iterator[bytes]:
        """Return an iterator of the blob's chunks.

        Raises:
            NotFoundError: no blob is stored there; raised by the first step of the iteration.
        """
        return self._read(check_name("ref", ref))

    def list_refs(self, *, older_than: timedelta = _DAY) -> Iterator[str]:
        """Return an iterator of the locations of all blobs that were stored before so long ago, in any order.

        A blob that is stored or deleted meanwhile may be left out.
        """
        if not isinstance(older_than, timedelta) or older_than < timedelta():
            message = f"older_than must be a timedelta of at least 0, not {short_repr(older_than)}."
            raise ValidationError(message)
        return self._list(utc_now() - older_than)

    def delete(self, ref: str) -> None:
        """Remove a blob permanently. If there is none, this is a no-op."""
        self._delete(check_name("ref", ref))

    @abstractmethod
    def _write(self, key: str, content: Content) -> str:
        """Store all chunks of `content` and return the location.

        Nothing is visible before all of it is durable. After an exception, also of the iteration, nothing is stored.
        """

    @abstractmethod
    def _read(self, ref: str) -> Iterator[bytes]:
        """Yield the blob in chunks of bounded size; NotFoundError if there is none."""

    @abstractmethod
    def _list(self, before: datetime) -> Iterator[str]:
        """Yield the locations of the blobs that were stored before this time, in bounded memory."""

    @abstractmethod
    def _delete(self, ref: str) -> None:
        """Remove the blob, if there is one."""
