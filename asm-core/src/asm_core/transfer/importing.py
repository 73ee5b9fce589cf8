"""Import of a session from a file."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import AlreadyExistsError, RunNotFoundError, SessionNotFoundError, ValidationError
from asm_core.models import Artifact, Event, Run
from asm_core.ports import Capability
from asm_core.transfer.checking import check_file, read_again, read_artifacts
from asm_core.transfer.reading import rereadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from asm_core.models import Model
    from asm_core.ports import Backend
    from asm_core.transfer.checking import Manifest
    from asm_core.transfer.reading import Source

_BATCH: Final = 500
_BATCH_BYTES: Final = 4 << 20


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The records that an import added to the store; none if an equal session was already stored."""

    session_id: str
    session_added: bool
    runs_added: int
    events_added: int
    artifacts_added: int

    @property
    def changed(self) -> bool:
        """Whether anything was added."""
        return self.session_added or bool(self.runs_added or self.events_added or self.artifacts_added)


def load_session(backend: Backend, file: BinaryIO) -> ImportReport:
    """Store the session that `dump_session` wrote to a binary file, exactly as it was, on any backend.

    The whole file is checked before anything is written. Then it is written in one transaction if the backend has
    `transactions`, otherwise in batches; a repeated import completes an interrupted one. Memory and disk use are
    bounded. A line has at most 1 GiB. The lines of a pipe are checked as they arrive, and at most 1 GiB is kept in a
    temporary file. Records that are already stored and equal stay as they are, so that importing twice is a no-op;
    pruned events are restored.

    Raises:
        ValidationError: the file is damaged, truncated, edited, of another version, or not an export; the message names
            the line. Or a line does not fit into memory.
        AlreadyExistsError: the session or one of its runs, events or artifacts is already stored and differs.
    """
    try:
        with rereadable(file) as source:
            return _import(backend, source)
    except MemoryError:
        message = "A line of the file, or its content, does not fit into memory. Nothing was imported."
        raise ValidationError(message) from None


def _import(backend: Backend, file: Source) -> ImportReport:
    manifest = check_file(file)
    session_added, runs_added = _compare(backend, file, manifest)
    artifacts_added = sum(_is_new(backend, artifact) for artifact in read_artifacts(file, manifest))
    with backend.transaction() if Capability.TRANSACTIONS in backend.capabilities else nullcontext():
        events_added = _write(backend, file, manifest)
    return ImportReport(
        session_id=manifest.session.id,
        session_added=session_added,
        runs_added=runs_added,
        events_added=events_added,
        artifacts_added=artifacts_added,
    )


def _compare(backend: Backend, file: Source, manifest: Manifest) -> tuple[bool, int]:
    """Compare stored records with the file; return whether the session is new, and the number of new runs."""
    store, session = backend.session_store, manifest.session
    try:
        _same(store.get_session(session.id), session)
        session_added = False
    except SessionNotFoundError:
        session_added = True
    runs_added = 0
    for models in _batches(read_again(file, manifest)):
        for run in _only(Run, models):
            try:
                _same(store.get_run(run.id), run)
            except RunNotFoundError:
                runs_added += 1
        events = _only(Event, models)
        if events and session_added:
            break
        if events:
            _same_events(backend, events)
    return session_added, runs_added


def _same_events(backend: Backend, events: list[Event]) -> None:
    """Compare the stored events up to the last of these with them, page by page: the file may have far fewer."""
    given = {event.sequence_number: event for event in events}
    first, last = events[0].sequence_number or 1, events[-1].sequence_number or 1
    for event in backend.session_store.follow_events(events[0].session_id, after=first - 1, idle_timeout=0.0):
        if (event.sequence_number or 0) > last:
            return
        _same(event, given.get(event.sequence_number, event))


def _is_new(backend: Backend, artifact: Artifact) -> bool:
    stored = backend.artifact_registry.get_by_key(artifact.key)
    if stored is not None:
        _same(stored, artifact)
    return stored is None


def _same(stored: Model, given: Model) -> None:
    """Raise AlreadyExistsError unless both are equal."""
    if stored == given:
        return
    fields = [name for name in given.__struct_fields__ if getattr(stored, name) != getattr(given, name)]
    kind, name = type(given).__name__, getattr(given, "id", "")
    message = (
        f"{kind} {name} is already stored and differs from the file in: {', '.join(fields)}. Nothing was imported. "
        "Delete the stored session first, or import into another store."
    )
    raise AlreadyExistsError(message, details={"id": name, "fields": fields})


def _write(backend: Backend, file: Source, manifest: Manifest) -> int:
    store, last = backend.session_store, manifest.last_sequence
    added = store.restore_session(manifest.session, last_sequence=last)
    for models in _batches(read_again(file, manifest)):
        runs, events = _only(Run, models), _only(Event, models)
        if runs or events:
            added += store.restore_session(manifest.session, runs, events, last_sequence=last)
        for artifact in _only(Artifact, models):
            backend.artifact_registry.register(artifact)
    return added


def _batches(models: Iterator[tuple[Model, int]]) -> Iterator[list[Model]]:
    batch: list[Model] = []
    size = 0
    for model, length in models:
        batch.append(model)
        size += length
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _only(kind: Any, models: list[Model]) -> list[Any]:
    return [model for model in models if isinstance(model, kind)]
