"""Reading the lines of a file of unknown origin, in bounded memory and disk space."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from asm_core.errors import ValidationError
from asm_core.transfer.lines import BEGINNING, LINE_LIMIT, damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

SPOOL_LIMIT: Final = 1 << 30
"""Bytes of a pipe that are kept on disk while they are checked."""
_IN_MEMORY: Final = 4 << 20
_CHUNK: Final = 1 << 20


class Source(Protocol):
    """What lines are read from: a file in which one can go back."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line, or the next `size` bytes of it."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Return the place."""


@contextlib.contextmanager
def rereadable(file: BinaryIO) -> Iterator[Source]:
    """Return the file itself if one can go back in it, and else a copy that is made while it is read."""
    if file.seekable():
        yield file
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        yield _Spool(file, copy)


def read_line(file: Source, number: int) -> bytes:
    """Return the next line, the one of this number; nothing at the end of the file.

    No more than a piece of a line is held before its end was found. A line of more than `LINE_LIMIT` bytes, or one that
    does not begin as `line_of` writes it, is not read to its end.

    Raises:
        ValidationError: it is too long, cut off, or no line of an export.
    """
    piece = file.readline(_CHUNK)
    length = len(piece)
    if length < _CHUNK or piece.endswith(b"\n"):
        return piece
    if not BEGINNING.match(piece):
        raise damaged(number, "This is no line of an export: it was damaged or edited.")
    while not piece.endswith(b"\n"):
        piece = file.readline(_CHUNK)
        length += len(piece)
        if length > LINE_LIMIT:
            raise damaged(number, f"It is longer than {LINE_LIMIT:,} bytes, the most that a line may have.")
        if not piece:
            raise damaged(number, "The file ends in the middle of this line: it was cut off.")
    file.seek(-length, os.SEEK_CUR)
    return file.read(length)


class _Spool:
    """Reads a pipe, and keeps what was read."""

    def __init__(self, pipe: BinaryIO, copy: tempfile.SpooledTemporaryFile[bytes]) -> None:
        self._pipe = pipe
        self._copy = copy
        self._size = 0

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
                f"More than {SPOOL_LIMIT:,} bytes come from a pipe, the most that is kept until all is checked. "
                "Nothing was imported; write the export to a file, and import that."
            )
            raise ValidationError(message)
        self._copy.write(data)
        return data
