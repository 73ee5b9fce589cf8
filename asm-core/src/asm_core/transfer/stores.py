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
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: dict[str, str] = {}
    different: tuple[str, ...] = ()


def copy_store(
    source: Backend, target: Backend, *, progress: Callable[[str, int], None] = lambda _step, _count: None
) -> CopyReport:
    """Copy all sessions with their runs, events and artifact metadata, then read the copies again and compare them.

    Soft-deleted sessions are copied too. Each session is copied as by `dump_session` and `load_session`, so both stores
    may be in use. A repeated copy adds what is new. Sessions that are only in the target stay.

    Args:
        source: the store to read.
        target: the store to write.
        progress: called with ``copied`` or ``checked`` and a number of sessions.
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
    return CopyReport(**counts, refused=refused, different=tuple(different))


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
