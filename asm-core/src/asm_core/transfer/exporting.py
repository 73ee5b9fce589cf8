"""Export of a session to a file."""

from __future__ import annotations

import hashlib
import tempfile
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, cast

import msgspec

from asm_core.errors import StorageError
from asm_core.models import Session
from asm_core.models.base import check_instance
from asm_core.querying.pages import all_items
from asm_core.redaction import Redactor
from asm_core.redaction.logs import redacted_log
from asm_core.redaction.recorded import Redaction
from asm_core.transfer.lines import Header, Totals, end_line, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.models import Model, Run, StoredEvent
    from asm_core.ports import Backend

_RUN_PAGE: Final = 100
_IN_MEMORY: Final = 4 << 20
_CHUNK: Final = 1 << 16
_TRIES: Final = 20


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of an export."""

    session_id: str
    runs: int
    events: int
    artifacts: int


def dump_session(
    backend: Backend, session_id: str, file: IO[bytes], *, redactor: Redactor | None = None
) -> ExportReport:
    """Write all that is stored of a session to a binary file, streaming; `load_session` is the exact inverse.

    A session can be exported while it is recorded: the file has session and runs at one moment, and the events up to
    it. Artifacts are exported as metadata, without their blobs. Equal content gives equal bytes.

    Args:
        backend: the store.
        session_id: the session.
        file: where to write.
        redactor: takes secrets out of metadata, context, input, output, errors and the data of events. Ids, numbers,
            times, titles, tags and keys are kept.

    Raises:
        SessionNotFoundError: the session does not exist, or was deleted meanwhile.
    """
    redaction = Redaction(None if redactor is None else check_instance(Redactor, redactor))
    writer = Writer(file)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        runs, last_sequence = _take_state(backend, session_id, spool, redaction)
        header = Header(session_id=session_id, last_sequence=last_sequence)
        writer.write(line_of(header))
        spool.seek(0)
        while chunk := spool.read(_CHUNK):
            writer.write(chunk)
    events = 0
    for event in redacted_log(redaction, partial(_events, backend, session_id, last_sequence)):
        writer.write(line_of(event))
        events += 1
    artifacts = backend.artifact_registry.list_by_session(session_id)
    for artifact in artifacts:
        writer.write(line_of(redaction.artifact(artifact)))
    report = ExportReport(session_id=session_id, runs=runs, events=events, artifacts=len(artifacts))
    file.write(end_line(Totals(runs=runs, events=events, artifacts=len(artifacts), sha256=writer.sha256)))
    return report


class Writer:
    """A writer that computes the SHA-256 of all written data."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Write data to the file."""
        self._file.write(data)
        self._digest.update(data)

    @property
    def sha256(self) -> str:
        """The SHA-256 of all written data."""
        return self._digest.hexdigest()


def _take_state(backend: Backend, session_id: str, spool: IO[bytes], redaction: Redaction) -> tuple[int, int]:
    # Session and runs change together with their events. If they are equal before and after the counter is read, they
    # are consistent with the log up to that number.
    for _ in range(_TRIES):
        spool.seek(0)
        spool.truncate()
        digest, runs = hashlib.sha256(), 0
        for runs, model in enumerate(_state(backend, session_id)):  # noqa: B007  number 0 is the session itself
            spool.write(line_of(_redacted(model, redaction)))
            digest.update(line_of(model))
        last_sequence = backend.session_store.get_latest_sequence(session_id)
        if digest.digest() == _digest(_state(backend, session_id)):
            return runs, last_sequence
    message = f"Session {session_id} changes faster than it can be read. Export it again when it changes less often."
    raise StorageError(message)


def _redacted(model: Model, redaction: Redaction) -> Model:
    return redaction.session(model) if isinstance(model, Session) else redaction.run(cast("Run", model))


def _events(backend: Backend, session_id: str, last_sequence: int) -> Iterator[StoredEvent]:
    """Yield the events up to a number."""
    for event in backend.session_store.follow_events(session_id, idle_timeout=0.0):
        if event.sequence_number > last_sequence:
            return
        yield event


def _digest(models: Iterator[Model]) -> bytes:
    digest: Any = hashlib.sha256()
    for model in models:
        digest.update(line_of(model))
    return bytes(digest.digest())


def _state(backend: Backend, session_id: str) -> Iterator[Model]:
    yield backend.session_store.get_session(session_id)
    yield from _runs(backend, session_id)


def _runs(backend: Backend, session_id: str) -> Iterator[Run]:
    filters = {"session_id": session_id, "order_by": "started_at_asc", "limit": _RUN_PAGE}
    return all_items(backend.query_api.search_runs, **filters)
