"""Reading the lines of an untrusted file in bounded memory and disk space."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import IO, TYPE_CHECKING, Final, Protocol, cast

from asm_core.errors import ValidationError
from asm_core.transfer.lines import BEGINNING, LINE_LIMIT, damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

SPOOL_LIMIT: Final = 1 << 30
"""The largest number of bytes of a pipe that are kept on disk during the check."""
_IN_MEMORY: Final = 4 << 20
_CHUNK: Final = 1 << 20


class Source(Protocol):
    """A seekable file."""

    def seekable(self) -> bool:
        """Return True."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line, or the next `size` bytes of it."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position."""

    def tell(self) -> int:
        """Return the position."""


@contextlib.contextmanager
def rereadable(file: IO[bytes] | Source) -> Iterator[Source]:
    """Return the file itself if it is seekable, and otherwise a copy that is made while it is read."""
    if file.seekable():
        yield file
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        yield _Spool(cast("IO[bytes]", file), copy)


def read_line(file: Source, number: int) -> bytes:
    """Return the next line, which has this number; empty at the end of the file.

    Only a part of a line is in memory until its end is found. A line of more than `LINE_LIMIT` bytes, or with another
    beginning than that of `line_of`, is not read to its end.

    Raises:
        ValidationError: the line is too long, truncated, or not a line of an export.
    """
    piece = file.readline(_CHUNK)
    length = len(piece)
    if length < _CHUNK or piece.endswith(b"\n"):
        return piece
    if not BEGINNING.match(piece):
        raise damaged(number, "The line is damaged or was edited.")
    while not piece.endswith(b"\n"):
        piece = file.readline(_CHUNK)
        length += len(piece)
        if length > LINE_LIMIT:
            raise damaged(number, f"The line is longer than the limit of {LINE_LIMIT:,} bytes.")
        if not piece:
            raise damaged(number, "The file ends in the middle of this line: it was truncated.")
    file.seek(-length, os.SEEK_CUR)
    return file.read(length)


class _Spool:
    """Reads a pipe, and keeps a copy."""

    def __init__(self, pipe: IO[bytes], copy: tempfile.SpooledTemporaryFile[bytes]) -> None:
        self._pipe = pipe
        self._copy = copy
        self._size = 0

    def seekable(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> bytes:
        return self._copy.readline(size) or self._keep(self._pipe.readline(size))

    def read(self, size: int = -1, /) -> bytes:
        return self._copy.read(size) or self._keep(self._pipe.read(size))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._copy.seek(offset, whence)

    def tell(self) -> int:
        return self._copy.tell()

    def _keep(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > SPOOL_LIMIT:
            message = (
                f"The pipe has more than {SPOOL_LIMIT:,} bytes, the limit for a check. Nothing was imported. "
                "Write the export to a file, and import that."
            )
            raise ValidationError(message)
        self._copy.write(data)
        return data
