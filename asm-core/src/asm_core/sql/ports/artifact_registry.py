"""The artifact registry on any SQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import SessionNotFoundError, StorageError
from asm_core.event_log.idempotency import artifact_taken
from asm_core.ports import ArtifactRegistry
from asm_core.sql.postgresql.append import is_collision
from asm_core.sql.queries import ArtifactQueries
from asm_core.sql.rows.summing import whole_sum

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.models import Artifact
    from asm_core.sql.database import Database
    from asm_core.sql.queries import Statement

_TRIES: Final = 100


class SQLArtifactRegistry(ArtifactRegistry):
    """Registers in one transaction, with a retry if another writer registered the same id or key."""

    def __init__(self, database: Database[Any]) -> None:
        """Register in `database`."""
        self._database = database
        self._queries = ArtifactQueries(database.words)

    def _register(self, artifact: Artifact) -> None:
        for _ in range(_TRIES):
            try:
                self._register_once(artifact)
            except StorageError as error:
                if not is_collision(error):
                    raise
                # Another writer registered the id or the key after the lookup: retry.
            else:
                return
        message = f"The key {artifact.key!r} was registered and removed {_TRIES} times by other writers. Retry."
        raise StorageError(message)

    def _register_once(self, artifact: Artifact) -> None:
        with self._database.write() as connection:
            if artifact.session_id is not None:
                known = connection.execute_sql(*self._queries.session(artifact.session_id)).fetchall()
                if not known:
                    raise SessionNotFoundError(artifact.session_id)
            found = self._find(self._queries.like(artifact))
            if artifact in found:
                return
            for other in sorted(found, key=lambda other: other.id != artifact.id):
                if other.deleted_at is None or other.key != artifact.key:
                    raise artifact_taken(other, artifact)
            if found:
                connection.execute_sql(*self._queries.remove([other.id for other in found]))
            connection.execute_sql(*self._queries.insert(artifact))

    def _load_by_key(self, key: str) -> Artifact | None:
        return next(iter(self._find(self._queries.by_key(key))), None)

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return self._find(self._queries.of_session(session_id))

    def _find_refs(self, storage_backend: str, refs: Sequence[str]) -> set[str]:
        with self._database.read() as connection:
            rows = connection.execute_sql(*self._queries.refs(storage_backend, refs)).fetchall()
        return {row[0] for row in rows}

    def _total_artifacts(self, session_id: str) -> tuple[int, int]:
        with self._database.read() as connection:
            ((count, high, low),) = connection.execute_sql(*self._queries.total(session_id)).fetchall()
        return int(count), whole_sum(high, low)

    def _soft_delete_artifact(self, key: str, at: datetime) -> None:
        with self._database.write() as connection:
            connection.execute_sql(*self._queries.soft_delete(key, at))

    def _find(self, statement: Statement) -> list[Artifact]:
        with self._database.read() as connection:
            rows = connection.execute_sql(*statement).fetchall()
        return [self._database.codec.artifact(row) for row in rows]
