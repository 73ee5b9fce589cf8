"""What the ports of every backend on SQL do alike, over the `Database` of the backend."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from asm_core.conflicts import artifact_taken
from asm_core.errors import SessionNotFoundError, StorageError
from asm_core.ports import ArtifactRegistry, Maintenance, SessionStore
from asm_core.sql.append_postgresql import is_collision
from asm_core.sql.database import D, OnDatabase
from asm_core.sql.invariants import find_faults
from asm_core.sql.saving import Saving, saving_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from asm_core.models import Artifact, Event, Run, Session

_TRIES: Final = 100


class SQLSessionStore(OnDatabase[D], SessionStore):
    """Saves and appends by core's statements; a flush and a copy are one transaction of these."""

    def _save_session(self, session: Session) -> None:
        with self._database.write() as connection:
            self._saving.save_session(connection.execute_sql, session)

    def _save_run(self, run: Run) -> None:
        with self._database.write() as connection:
            self._saving.save_run(connection.execute_sql, run)

    def _append(self, events: list[Event]) -> list[Event]:
        return self._database.append(events)

    def _flush(self, session: Session, run: Run | None, events: list[Event]) -> list[Event]:
        with self._database.write():
            self._save_session(session)
            if run is not None:
                self._save_run(run)
            return self._append(events) if events else []

    def _restore(self, session: Session, runs: list[Run], events: list[Event], last_sequence: int) -> int:
        with self._database.write() as connection:
            self._saving.add(connection.execute_sql, session, runs)
            return self._database.restore(session.id, events, last_sequence)

    def _change_token(self) -> object:
        return self._database.change_token()

    def _listening(self, tell: Callable[[str | None], None]) -> AbstractContextManager[object]:
        return self._database.listening(tell)

    @property
    def _saving(self) -> Saving:
        return saving_in(self._database.dialect)


class SQLMaintenance(OnDatabase[D], Maintenance):
    """Works in batches that take turns; asks core's questions for faults."""

    def _batch(self) -> AbstractContextManager[object]:
        return self._database.batch()

    def _find_faults(self) -> list[str]:
        with self._database.read() as connection:
            return find_faults(connection.execute_sql)


class SQLArtifactRegistry(OnDatabase[D], ArtifactRegistry):
    """Registers in one transaction, again where somebody else registered the same meanwhile."""

    def _register(self, artifact: Artifact) -> None:
        for _ in range(_TRIES):
            try:
                with self._database.write():
                    self._register_once(artifact)
            except StorageError as error:
                if not is_collision(error):
                    raise
                # Somebody registered the id or the key since it was looked for: look again.
            else:
                return
        message = f"The key {artifact.key!r} was registered and removed {_TRIES} times meanwhile; try again."
        raise StorageError(message)

    def _register_once(self, artifact: Artifact) -> None:
        if artifact.session_id is not None and not self._has_session(artifact.session_id):
            raise SessionNotFoundError(artifact.session_id)
        found = self._find_like(artifact)
        if artifact in found:
            return
        for other in sorted(found, key=lambda other: other.id != artifact.id):
            if other.deleted_at is None or other.key != artifact.key:
                raise artifact_taken(other, artifact)
        self._put([other.id for other in found], artifact)

    @abstractmethod
    def _has_session(self, session_id: str) -> bool:
        """Return whether there is such a session."""

    @abstractmethod
    def _find_like(self, artifact: Artifact) -> list[Artifact]:
        """Return the artifacts that have its id or its key, deleted ones too."""

    @abstractmethod
    def _put(self, in_place_of: Sequence[str], artifact: Artifact) -> None:
        """Remove the artifacts of these ids, and store this one."""
