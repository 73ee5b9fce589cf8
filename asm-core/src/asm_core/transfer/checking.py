"""The check of a whole export before its import."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import short_repr
from asm_core.models import Artifact, Event, Run, Session
from asm_core.transfer.lines import (
    CHANGED,
    END,
    HEADER_LIMIT,
    KINDS,
    Header,
    Totals,
    damaged,
    decode_again,
    read_end,
    read_header,
    read_model,
    split_line,
)
from asm_core.transfer.reading import read_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.transfer.lines import Line
    from asm_core.transfer.reading import Source

_RANKS: Final = {kind: rank for rank, kind in enumerate(KINDS)}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a valid export; `start` and `artifacts_at` are byte positions in the file."""

    session: Session
    last_sequence: int
    totals: Totals
    start: int
    artifacts_at: int


def check_file(file: Source) -> Manifest:
    """Read and check a whole export, and return a summary of its content.

    Memory does not grow with the file: only the position of the last line is kept.

    Raises:
        ValidationError: the file is damaged, truncated, edited, or not an export; the message names the line.
    """
    start = file.tell()
    first = file.readline(HEADER_LIMIT)
    checker = _Checker(read_header(first, Header), start)
    digest = hashlib.sha256(first)
    number, place = 1, start + len(first)
    for number, line in numbered_lines(file):
        if line.startswith(END):
            return checker.end(number, read_end(number, line, Totals), place, digest.hexdigest(), file.read(1))
        checker.take(number, line, place)
        digest.update(line)
        place += len(line)
    raise damaged(number, "The file ends after this line, without a last line: it was truncated.")


def read_again(file: Source, start: int, sha256: str) -> Iterator[tuple[Line, int]]:
    """Yield the models of a checked file in order, each with the length of its line.

    Args:
        file: the file.
        start: the position of its header.
        sha256: the hash in its last line.

    Raises:
        ValidationError: the file changed after the check.
    """
    file.seek(start)
    digest = hashlib.sha256(file.readline(HEADER_LIMIT))
    for number, line in numbered_lines(file):
        if line.startswith(END):
            break
        digest.update(line)
        yield decode_again(number, line), len(line)
    if digest.hexdigest() != sha256:
        raise damaged(1, CHANGED)


def read_artifacts(file: Source, manifest: Manifest) -> Iterator[Artifact]:
    """Yield the artifacts of a checked file."""
    file.seek(manifest.artifacts_at)
    for _ in range(manifest.totals.artifacts):
        model = decode_again(1, read_line(file, 1))
        if isinstance(model, Artifact):
            yield model


def numbered_lines(file: Source) -> Iterator[tuple[int, bytes]]:
    """Yield the lines after the first one, with their numbers."""
    for number in itertools.count(2):
        line = read_line(file, number)
        if not line:
            return
        yield number, line


class _Checker:
    """Checks each line against the header and the previous line."""

    def __init__(self, header: Header, start: int) -> None:
        self._header = header
        self._start = start
        self._session: Session | None = None
        self._counts = dict.fromkeys(KINDS, 0)
        self._last: tuple[Any, ...] = (-1,)
        self._artifacts_at: int | None = None

    def take(self, number: int, line: bytes, place: int) -> None:
        kind, body = split_line(number, line)
        model = read_model(number, KINDS[kind], body)
        key = (_RANKS[kind], *self._key(number, model))
        if self._session is None and kind != "session":
            raise damaged(number, f"The session must come first, not the {kind}.")
        if key <= self._last:
            raise damaged(number, f"This {kind} is out of order or repeated.")
        if kind == "artifact" and self._artifacts_at is None:
            self._artifacts_at = place
        self._last = key
        self._counts[kind] += 1

    def _key(self, number: int, model: Session | Run | Event | Artifact) -> tuple[Any, ...]:
        owner = model.id if isinstance(model, Session) else model.session_id
        if owner != self._header.session_id:
            raise damaged(
                number, f"It belongs to session {short_repr(owner)}, not to {short_repr(self._header.session_id)}."
            )
        if isinstance(model, Session):
            self._session = model
            return ()
        if isinstance(model, Run):
            return model.started_at, model.id
        if isinstance(model, Artifact):
            if model.deleted_at is not None:
                raise damaged(number, "The artifact is deleted. An export contains live artifacts only.")
            return model.created_at, model.id
        if model.sequence_number is None or model.sequence_number > self._header.last_sequence:
            raise damaged(
                number, f"The event has the number {model.sequence_number}; the last is {self._header.last_sequence}."
            )
        return (model.sequence_number,)

    def end(self, number: int, totals: Totals, place: int, sha256: str, rest: bytes) -> Manifest:
        found = (self._counts["run"], self._counts["event"], self._counts["artifact"])
        if self._session is None:
            raise damaged(number, "The file contains no session.")
        if found != (totals.runs, totals.events, totals.artifacts):
            raise damaged(
                number,
                f"The file should contain {totals.runs} runs, {totals.events} events and {totals.artifacts} artifacts, "
                f"but contains {found[0]}, {found[1]} and {found[2]}: lines are missing or were added.",
            )
        if sha256 != totals.sha256:
            raise damaged(number, "The SHA-256 of the previous lines does not match: they were changed.")
        if rest:
            raise damaged(number + 1, "There is data after the last line.")
        return Manifest(
            session=self._session,
            last_sequence=self._header.last_sequence,
            totals=totals,
            start=self._start,
            artifacts_at=place if self._artifacts_at is None else self._artifacts_at,
        )
