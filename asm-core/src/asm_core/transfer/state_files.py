"""Export of a namespace of state to a file, and its import."""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import IO, TYPE_CHECKING, Final

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.models import StateRecord
from asm_core.models.base import check_instance
from asm_core.querying.pages import all_items
from asm_core.redaction import Redactor
from asm_core.redaction.recorded import Redaction
from asm_core.transfer.checking import numbered_lines, read_again
from asm_core.transfer.exporting import Writer
from asm_core.transfer.importing import batches
from asm_core.transfer.lines import (
    CHANGED,
    END,
    HEADER_LIMIT,
    STATE_KINDS,
    StateHeader,
    StateTotals,
    damaged,
    end_line,
    line_of,
    read_end,
    read_header,
    read_model,
    split_line,
)
from asm_core.transfer.reading import rereadable
from asm_core.transfer.records import StateReport, store_records
from asm_core.values.ids import check_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.ports import Backend
    from asm_core.transfer.reading import Source

PAGE: Final = 500
"""The number of records in memory at a time."""


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    start: int
    totals: StateTotals


def dump_state(backend: Backend, namespace: str, file: IO[bytes], *, redactor: Redactor | None = None) -> int:
    """Write all records of a namespace of state to a binary file, by key; return their number.

    `load_state` stores them in any backend. Records that have expired are not written. A record that changes meanwhile
    is written as it is before or after the change. Equal content gives equal bytes.

    Args:
        backend: the store.
        namespace: the namespace; an unknown one gives a file without records.
        file: where to write.
        redactor: takes secrets out of the values. Namespaces and keys are kept.
    """
    redaction = Redaction(None if redactor is None else check_instance(Redactor, redactor))
    writer = Writer(file)
    writer.write(line_of(StateHeader(namespace=check_name("namespace", namespace))))
    count = 0
    for record in chain.from_iterable(record_pages(backend, namespace)):
        writer.write(line_of(redaction.record(record)))
        count += 1
    file.write(end_line(StateTotals(records=count, sha256=writer.sha256)))
    return count


def load_state(backend: Backend, file: IO[bytes] | Source, *, update: bool = False) -> StateReport:
    """Store the records that `dump_state` wrote to a binary file, with their revisions and times, in any backend.

    The whole file is checked before anything is written. Then records are stored some hundred at a time; a repeated
    import completes an interrupted one. A record that is already stored and equal stays as it is. One that differs is
    left as it is too, and reported; the others are stored. Limits are those of `load_session`.

    Args:
        backend: the store to import into.
        file: the file to read.
        update: replace a stored record if that of the file is a later state: it has a greater revision and a later
            time, or was created after the last change of the stored one.

    Raises:
        ValidationError: the file is damaged, truncated, edited, of another version, or not an export of state; the
            message names the line. Or a line does not fit into memory.
    """
    try:
        with rereadable(file) as source:
            return _import(backend, source, update=update)
    except MemoryError:
        message = "A line of the file, or its content, does not fit into memory. Import it on a larger machine."
        raise ValidationError(message) from None


def namespaces_of(backend: Backend) -> Iterator[str]:
    """Yield all namespaces, sorted."""
    return all_items(backend.state_store.list_namespaces, limit=PAGE)


def record_pages(backend: Backend, namespace: str) -> Iterator[list[StateRecord]]:
    """Yield the records of a namespace by key, in lists of at most `PAGE`."""
    cursor: str | None = None
    while True:
        page = backend.state_store.list(namespace, limit=PAGE, cursor=cursor)
        yield page.items
        cursor = page.cursor
        if cursor is None:
            return


def _import(backend: Backend, file: Source, *, update: bool) -> StateReport:
    manifest, report = _check(file), StateReport()
    try:
        for models in batches(read_again(file, manifest.start, manifest.totals.sha256)):
            records = [model for model in models if isinstance(model, StateRecord)]
            report += store_records(backend, records, update=update)[0]
    except ValidationError as error:
        if CHANGED not in error.message:
            raise
        message = f"{CHANGED} Records before the change may be stored. Import it again when nothing writes it."
        raise ValidationError(message) from None
    return report


def _check(file: Source) -> _Manifest:
    """Read and check the whole file."""
    start = file.tell()
    first = file.readline(HEADER_LIMIT)
    namespace = read_header(first, StateHeader).namespace
    digest = hashlib.sha256(first)
    number, last = 1, ""
    for number, line in numbered_lines(file):
        if line.startswith(END):
            totals = read_end(number, line, StateTotals)
            _check_end(number, totals, number - 2, digest.hexdigest(), file.read(1))
            return _Manifest(start=start, totals=totals)
        last = _check_record(number, line, namespace, last)
        digest.update(line)
    raise damaged(number, "The file ends after this line, without a last line: it was truncated.")


def _check_record(number: int, line: bytes, namespace: str, last: str) -> str:
    """Return the key of the record on a line."""
    kind, body = split_line(number, line, STATE_KINDS)
    record = read_model(number, STATE_KINDS[kind], body)
    if record.namespace != namespace:
        given = short_repr(record.namespace)
        raise damaged(number, f"It belongs to namespace {given}, not to {short_repr(namespace)}.")
    if record.key <= last:
        raise damaged(number, "This record is out of order or repeated.")
    return record.key


def _check_end(number: int, totals: StateTotals, count: int, sha256: str, rest: bytes) -> None:
    if count != totals.records:
        raise damaged(
            number,
            f"The file should contain {totals.records} records, but contains {count}: lines are missing or were added.",
        )
    if sha256 != totals.sha256:
        raise damaged(number, "The SHA-256 of the previous lines does not match: they were changed.")
    if rest:
        raise damaged(number + 1, "There is data after the last line.")
