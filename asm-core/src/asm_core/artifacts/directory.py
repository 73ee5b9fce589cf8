"""Blobs in a directory."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from asm_core.errors import NotFoundError, StorageError, ValidationError, short_repr
from asm_core.ports.artifact_store import CHUNK, ArtifactStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from asm_core.ports.artifact_store import Content

_REF: Final = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}\.[0-9a-f]{32}", re.ASCII)
_INCOMING: Final = "incoming"
_DAY: Final = timedelta(days=1)


class DirectoryArtifactStore(ArtifactStore):
    """Stores blobs as files below a directory, for any number of threads and processes.

    A blob is ``ab/<SHA-256>.<32 random hex digits>``, where ``ab`` begins the hash. It is written in ``incoming``, and
    moved to its place after the disk has it. Files have mode 0600, and new directories 0700.
    """

    name = "directory"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Use a directory, which is created if it does not exist.

        Raises:
            StorageError: the directory cannot be created.
        """
        self._root = Path(path).absolute()
        with self._translated():
            new = [place for place in (self._root, *self._root.parents) if not place.exists()]
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for place in new:
                _sync(place.parent)
            (self._root / _INCOMING).mkdir(mode=0o700, exist_ok=True)

    def remove_unfinished(self, *, older_than: timedelta = _DAY, limit: int = 10_000) -> int:
        """Remove files that killed processes left in ``incoming``; return their number. At most `limit` are examined.

        A file whose last write is younger than `older_than` may belong to a `put` under way, and is kept.
        """
        before = time.time() - older_than.total_seconds()
        removed = 0
        with self._translated(), os.scandir(self._root / _INCOMING) as found:
            for entry in islice(found, limit):
                with contextlib.suppress(FileNotFoundError):  # its put ended meanwhile
                    if entry.stat(follow_symlinks=False).st_mtime <= before:
                        Path(entry.path).unlink()
                        removed += 1
        return removed

    def _write(self, key: str, content: Content) -> str:  # noqa: ARG002  the name is that of the content
        unique = secrets.token_hex(16)
        part = self._root / _INCOMING / unique
        with self._translated():
            try:
                with _create(part) as file:
                    file.writelines(content)
                    file.flush()
                    os.fsync(file.fileno())
                checksum = content.checksum_sha256
                place = self._root / checksum[:2] / f"{checksum}.{unique}"
                place.parent.mkdir(mode=0o700, exist_ok=True)
                part.rename(place)
                _sync(place.parent)
                _sync(self._root)  # always: another process may have made the directory a moment ago
            except BaseException:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
                raise
        return f"{checksum[:2]}/{place.name}"

    def _read(self, ref: str) -> Iterator[bytes]:
        place = self._place(ref)
        with self._translated():
            try:
                file = place.open("rb")
            except FileNotFoundError:
                message = (
                    f"No blob is stored at {short_repr(ref)} in {self._root}. It was deleted, or never stored there."
                )
                raise NotFoundError(message, details={"ref": ref}) from None
        with file:
            while chunk := self._chunk(file):
                yield chunk

    def _chunk(self, file: BinaryIO) -> bytes:
        with self._translated():
            return file.read(CHUNK)

    def _list(self, before: datetime) -> Iterator[str]:
        latest = before.timestamp()
        with self._translated(), os.scandir(self._root) as found:
            places = sorted(entry.name for entry in found if entry.name != _INCOMING and entry.is_dir())
        for place in places:
            yield from self._old_blobs(place, latest)

    def _old_blobs(self, place: str, latest: float) -> Iterator[str]:
        refs = []
        with self._translated(), os.scandir(self._root / place) as found:
            for entry in found:
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    if entry.stat(follow_symlinks=False).st_mtime <= latest:
                        refs.append(f"{place}/{entry.name}")
        yield from filter(_REF.fullmatch, refs)

    def _delete(self, ref: str) -> None:
        place = self._place(ref)
        with self._translated(), contextlib.suppress(FileNotFoundError):
            place.unlink()
            _sync(place.parent)

    def _place(self, ref: str) -> Path:
        if not _REF.fullmatch(ref):
            message = f"{short_repr(ref)} is no location in a directory of artifacts. Pass the ref that put() returned."
            raise ValidationError(message)
        return self._root / ref

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"The artifact directory {self._root} failed: {error}. Check its permissions and free space."
            raise StorageError(message) from error


def _create(path: Path) -> BinaryIO:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return open(os.open(path, flags, 0o600), "wb")  # noqa: PTH123  opens a descriptor


def _sync(directory: Path) -> None:
    """Make the entries of a directory durable."""
    if os.name == "nt":  # directories cannot be opened there
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
