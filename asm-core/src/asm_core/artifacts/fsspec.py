"""Blobs in any storage that fsspec reaches."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import DependencyNotAvailableError, NotFoundError, StorageError, ValidationError, short_repr
from asm_core.ports.artifact_store import CHUNK, ArtifactStore
from asm_core.values.ids import check_name
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from asm_core.ports.artifact_store import Content

_HEX: Final = frozenset("0123456789abcdef")
_REF_LENGTH: Final = len("2026/11/27/") + 32


class FsspecArtifactStore(ArtifactStore):
    """Stores blobs below a URL of fsspec, such as ``s3://bucket/artifacts``, ``gs://…``, ``az://…`` or ``memory://``.

    A blob is ``YYYY/MM/DD/<32 random hex digits>``. The day is that of its `put`, by this process's clock. An object
    store makes an object visible when all of it is stored; a local directory is better kept in a
    `DirectoryArtifactStore`, which waits for the disk.
    """

    name = "fsspec"

    def __init__(self, url: str, **options: Any) -> None:
        """Use the storage at `url`; `options` are those of its file system, such as ``endpoint_url`` or ``key``.

        Raises:
            DependencyNotAvailableError: fsspec, or the package for this kind of URL, is not installed.
            ValidationError: fsspec does not know this kind of URL.
        """
        check_name("url", url)
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415  an optional dependency

            self._files, root = url_to_fs(url, **options)
        except ImportError as error:
            message = f"{short_repr(url)} needs a package: {error}. Install asm-core[fsspec], or s3fs."
            raise DependencyNotAvailableError(message) from error
        except ValueError as error:
            message = f"fsspec cannot open {short_repr(url)}: {error}."
            raise ValidationError(message) from error
        self._root = root.rstrip("/")

    def _write(self, key: str, content: Content) -> str:  # noqa: ARG002  the name does not depend on it
        ref = f"{utc_now():%Y/%m/%d}/{secrets.token_hex(16)}"
        path = self._path(ref)
        with self._translated(ref):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            file = self._files.open(path, "wb")
        try:
            for chunk in content:  # its errors are those of the caller
                with self._translated(ref):
                    file.write(chunk)
        except BaseException:
            self._discard(file, path)
            raise
        try:
            with self._translated(ref):
                file.close()
        except BaseException:
            self._remove(path)
            raise
        return ref

    def _read(self, ref: str) -> Iterator[bytes]:
        path = self._path(ref)
        with self._translated(ref):
            file = self._files.open(path, "rb")
        with contextlib.closing(file):
            while True:
                with self._translated(ref):
                    chunk = bytes(file.read(CHUNK))
                if not chunk:
                    return
                yield chunk

    def _list(self, before: datetime) -> Iterator[str]:
        latest = f"{before:%Y/%m/%d}"
        days = self._folders(self._root, 3)
        for day in days:
            if day.removeprefix(f"{self._root}/") > latest:
                continue
            with self._translated(day):
                found = self._files.ls(day, detail=True)
            for entry in found:
                ref = str(entry["name"]).removeprefix(f"{self._root}/")
                if _is_ref(ref) and _is_older(entry, ref, latest, before):
                    yield ref

    def _delete(self, ref: str) -> None:
        path = self._path(ref)
        with self._translated(ref), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)

    def _folders(self, path: str, depth: int) -> Iterator[str]:
        if depth == 0:
            yield path
            return
        with self._translated(path):
            try:
                self._files.invalidate_cache(path)
                entries = self._files.ls(path, detail=True)
            except FileNotFoundError:
                return
        for name in sorted(str(entry["name"]).rstrip("/") for entry in entries if entry["type"] == "directory"):
            yield from self._folders(name, depth - 1)

    def _path(self, ref: str) -> str:
        if not _is_ref(ref):
            message = f"{short_repr(ref)} is no location of this storage. Pass the ref that put() returned."
            raise ValidationError(message)
        return f"{self._root}/{ref}"

    def _discard(self, file: Any, path: str) -> None:
        """Leave nothing of a blob whose content failed."""
        with contextlib.suppress(Exception):
            discard = getattr(file, "discard", None)
            if discard is not None:
                discard()
        with contextlib.suppress(Exception):
            file.closed or file.close()
        self._remove(path)

    def _remove(self, path: str) -> None:
        with contextlib.suppress(Exception):
            self._files.rm_file(path)

    @contextlib.contextmanager
    def _translated(self, ref: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            message = f"No blob is stored at {short_repr(ref)} in {self._root}. It was deleted, or never stored there."
            raise NotFoundError(message, details={"ref": ref}) from error
        except Exception as error:  # each kind of storage has errors of its own
            message = f"The artifact storage {self._root} failed: {error}. Check its address, key and permissions."
            raise StorageError(message) from error


def _is_ref(ref: str) -> bool:
    day, _, unique = ref.rpartition("/")
    return len(ref) == _REF_LENGTH and set(unique) <= _HEX and day.replace("/", "").isdecimal()


def _is_older(entry: dict[str, Any], ref: str, latest: str, before: datetime) -> bool:
    """Return whether a blob is older than `before`: by the day in its name, or by the time of the storage."""
    if ref.rpartition("/")[0] < latest:
        return True
    for field in ("LastModified", "mtime", "last_modified", "updated", "created"):
        stored = entry.get(field)
        if stored is None:
            continue
        seconds = stored if isinstance(stored, int | float) else stored.timestamp()
        return float(seconds) <= before.timestamp()
    return False
