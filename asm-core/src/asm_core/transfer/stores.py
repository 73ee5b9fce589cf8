"""Copies of whole stores, between any two backends."""

from __future__ import annotations

import hashlib
import tempfile
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import AlreadyExistsError, SessionNotFoundError
from asm_core.querying.pages import all_items
from asm_core.transfer.exporting import dump_session
from asm_core.transfer.importing import load_session
from asm_core.transfer.lines import decode_again, line_of
from asm_core.transfer.records import StateReport, name_of, store_records
from asm_core.transfer.state_files import namespaces_of, record_pages
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core.ports import Backend

_IN_MEMORY: Final = 4 << 20
_PAGE: Final = 500


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that a copy of a store read.

    Attributes:
        added: the number of sessions that the target did not have.
        updated: the number of sessions of which the target had a part, or an older state.
        unchanged: the number of sessions that were already equal.
        refused: why a session was not copied, by its id: the target has another or a later state of it.
        different: the ids of copied sessions that were not equal in the check at the end.
        state: the records of state that were copied.
        different_records: the copied records of state that were not equal in the check at the end.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: dict[str, str] = {}
    different: tuple[str, ...] = ()
    state: StateReport = StateReport()
    different_records: tuple[str, ...] = ()


def copy_store(
    source: Backend, target: Backend, *, progress: Callable[[str, int], None] = lambda _step, _count: None
) -> CopyReport:
    """Copy all sessions and all records of state, then read the copies again and compare them.

    A session is copied with its runs, events and artifact metadata, as by `dump_session` and `load_session`;
    soft-deleted ones too. Records of state are copied as by `dump_state` and `load_state`, except those that have
    expired. Both stores may be in use. A repeated copy adds what is new. What is only in the target stays.

    Args:
        source: the store to read.
        target: the store to write.
        progress: called with ``copied`` or ``checked`` and a number of sessions, and with ``records_copied`` or
            ``records_checked`` and a number of records of state.
    """
    counts = {"added": 0, "updated": 0, "unchanged": 0}
    digests: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    for session_id in session_ids(source):
        try:
            digests[session_id], result = _copy(source, target, session_id)
            counts[result] += 1
        except AlreadyExistsError as error:
            refused[session_id] = error.message
        except SessionNotFoundError:  # removed after it was listed
            continue
        progress("copied", 1)
    different = []
    for session_id, digest in digests.items():
        if _digest(target, session_id) != digest:
            different.append(session_id)
        progress("checked", 1)
    state, different_records = _copy_state(source, target, progress)
    return CopyReport(
        **counts, refused=refused, different=tuple(different), state=state, different_records=different_records
    )


def session_ids(backend: Backend) -> Iterator[str]:
    """Yield the ids of all sessions, the oldest first, soft-deleted ones included."""
    search: Any = backend.query_api.search_sessions
    for session in all_items(search, order_by="created_at_asc", include_deleted=True, limit=_PAGE):
        yield session.id


def _copy(source: Backend, target: Backend, session_id: str) -> tuple[bytes, str]:
    """Copy a session; return the digest of its export, and which count it belongs to."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        dump_session(source, session_id, spool)
        spool.seek(0)
        digest = hashlib.sha256()
        for piece in _pieces(spool):
            digest.update(piece)
        spool.seek(0)
        report = load_session(target, spool, update=True)
    return digest.digest(), "added" if report.session_added else "updated" if report.changed else "unchanged"


def _copy_state(
    source: Backend, target: Backend, progress: Callable[[str, int], None]
) -> tuple[StateReport, tuple[str, ...]]:
    """Copy the records of state; return the report, and the names of those that differ afterwards."""
    report = StateReport()
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copied:
        for namespace in namespaces_of(source):
            for page in record_pages(source, namespace):
                added, records = store_records(target, page, update=True)
                report += added
                copied.writelines(map(line_of, records))
                progress("records_copied", len(page))
        copied.seek(0)
        return report, tuple(_differing(target, copied, progress))


def _differing(target: Backend, copied: IO[bytes], progress: Callable[[str, int], None]) -> Iterator[str]:
    for number, line in enumerate(copied, start=1):
        record: Any = decode_again(number, line)
        stored = target.state_store.get(record.namespace, record.key)
        if stored != record and not record.has_expired(utc_now()):
            yield name_of(record)
        progress("records_checked", 1)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(1 << 16):
        yield piece


class _Digest:
    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return len(data)


def _digest(backend: Backend, session_id: str) -> bytes | None:
    written: Any = _Digest()
    try:
        dump_session(backend, session_id, written)
    except SessionNotFoundError:
        return None
    digest: bytes = written.sha256.digest()
    return digest
