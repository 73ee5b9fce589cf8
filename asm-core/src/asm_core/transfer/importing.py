"""Import of a session from a file."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import AlreadyExistsError, RunNotFoundError, SessionNotFoundError, ValidationError
from asm_core.models import Artifact, Event, Run, Session
from asm_core.ports import Capability
from asm_core.transfer.checking import check_file, read_again, read_artifacts
from asm_core.transfer.reading import rereadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from asm_core.models import Model
    from asm_core.ports import Backend
    from asm_core.transfer.checking import Manifest
    from asm_core.transfer.lines import Line
    from asm_core.transfer.reading import Source

_BATCH: Final = 500
_BATCH_BYTES: Final = 4 << 20


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The records that an import added to the store; none if an equal session was already stored.

    Attributes:
        updated: whether the session or a run was stored in an older state, which the import replaced.
    """

    session_id: str
    session_added: bool
    updated: bool = False
    runs_added: int
    events_added: int
    artifacts_added: int

    @property
    def changed(self) -> bool:
        """Whether anything was added."""
        return self.session_added or self.updated or bool(self.runs_added or self.events_added or self.artifacts_added)


def load_session(backend: Backend, file: IO[bytes] | Source, *, update: bool = False) -> ImportReport:
    """Store the session that `dump_session` wrote to a binary file, exactly as it was, on any backend.

    The whole file is checked before anything is written. Then it is written in one transaction if the backend has
    `transactions`, otherwise in batches; a repeated import completes an interrupted one. Memory and disk use are
    bounded. A line has at most 1 GiB. The lines of a pipe are checked as they arrive, and at most 1 GiB is kept in a
    temporary file. Records that are already stored and equal stay as they are, so that importing twice is a no-op;
    pruned events are restored.

    Args:
        backend: the store to import into.
        file: the file to read.
        update: replace a stored session or run by that of the file, if the file has a later state of it. A state is
            later if it has a greater revision and no smaller last number of the log. Events are added, never replaced.

    Raises:
        ValidationError: the file is damaged, truncated, edited, of another version, or not an export; the message names
            the line. Or a line does not fit into memory.
        AlreadyExistsError: the session or one of its runs, events or artifacts is already stored and differs, or, with
            `update`, is stored in a later state.
    """
    try:
        with rereadable(file) as source:
            return _import(backend, source, update=update)
    except MemoryError:
        message = "A line of the file, or its content, does not fit into memory. Nothing was imported."
        raise ValidationError(message) from None


def _import(backend: Backend, file: Source, *, update: bool) -> ImportReport:
    manifest = check_file(file)
    found = _compare(backend, file, manifest, update=update)
    artifacts_added = sum(_is_new(backend, artifact) for artifact in read_artifacts(file, manifest))
    with backend.transaction() if Capability.TRANSACTIONS in backend.capabilities else nullcontext():
        events_added = _write(backend, file, manifest, replace=found.updated)
    return ImportReport(
        session_id=manifest.session.id,
        session_added=found.session_added,
        updated=found.updated,
        runs_added=found.runs_added,
        events_added=events_added,
        artifacts_added=artifacts_added,
    )


class _Found(msgspec.Struct):
    """What the store does not have yet."""

    session_added: bool = False
    updated: bool = False
    runs_added: int = 0


def _compare(backend: Backend, file: Source, manifest: Manifest, *, update: bool) -> _Found:
    """Compare stored records with the file.

    Raises:
        AlreadyExistsError: a stored record differs, and is not an older state to `update`.
    """
    store, session, found = backend.session_store, manifest.session, _Found()
    try:
        stored = store.get_session(session.id)
        is_later = update and store.get_latest_sequence(session.id) <= manifest.last_sequence
        found.updated = _differs(stored, session, update=is_later)
    except SessionNotFoundError:
        found.session_added = True
    for models in batches(_models(file, manifest)):
        for run in _only(Run, models):
            try:
                found.updated |= _differs(store.get_run(run.id), run, update=update)
            except RunNotFoundError:
                found.runs_added += 1
        events = _only(Event, models)
        if events and found.session_added:
            break
        if events:
            _same_events(backend, events)
    return found


def _differs(stored: Session | Run, given: Session | Run, *, update: bool) -> bool:
    """Return whether a stored state is to be replaced by a later one."""
    if update and stored != given and stored.revision <= given.revision:
        return True
    _same(stored, given)
    return False


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


def _write(backend: Backend, file: Source, manifest: Manifest, *, replace: bool) -> int:
    store, last = backend.session_store, manifest.last_sequence
    added = store.restore_session(manifest.session, last_sequence=last, replace=replace)
    for models in batches(_models(file, manifest)):
        runs, events = _only(Run, models), _only(Event, models)
        if runs or events:
            added += store.restore_session(manifest.session, runs, events, last_sequence=last, replace=replace)
        for artifact in _only(Artifact, models):
            backend.artifact_registry.register(artifact)
    return added


def _models(file: Source, manifest: Manifest) -> Iterator[tuple[Line, int]]:
    return read_again(file, manifest.start, manifest.totals.sha256)


def batches(models: Iterator[tuple[Line, int]]) -> Iterator[list[Line]]:
    """Yield lists of models, of a bounded number and total length of lines."""
    batch: list[Line] = []
    size = 0
    for model, length in models:
        batch.append(model)
        size += length
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _only(kind: Any, models: list[Line]) -> list[Any]:
    return [model for model in models if isinstance(model, kind)]
