"""Artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import SQL, Value, fn

from asm_backend_peewee.database import Database, exact_sum
from asm_backend_peewee.reader import selected
from asm_core.sql import SQLArtifactRegistry
from asm_core.sql.summing import whole_sum
from asm_core.sql.tables import ARTIFACT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core import Artifact


class PeeweeArtifactRegistry(SQLArtifactRegistry[Database]):
    """The artifact registry on Peewee."""

    def __init__(self, database: Database) -> None:
        """Register in `database`."""
        self._database = database
        self._sessions, self._artifacts = database.models.SessionRow, database.models.ArtifactRow

    def _has_session(self, session_id: str) -> bool:
        known = self._sessions.select(Value(1)).where(self._sessions.id == session_id)
        with self._database.read() as connection:
            return bool(connection.execute(known).fetchall())

    def _find_like(self, artifact: Artifact) -> list[Artifact]:
        artifacts = self._artifacts
        return _found(self._database, (artifacts.id == artifact.id) | (artifacts.key == artifact.key))

    def _put(self, in_place_of: Sequence[str], artifact: Artifact) -> None:
        artifacts = self._artifacts
        values = {name: getattr(artifact, name) for name in artifact.__struct_fields__}
        with self._database.write() as connection:
            connection.execute(artifacts.delete().where(artifacts.id.in_(list(in_place_of))))
            connection.execute(artifacts.insert(values))

    def _load_by_key(self, key: str) -> Artifact | None:
        found = _found(self._database, self._artifacts.key == key, self._artifacts.deleted_at.is_null())
        return found[0] if found else None

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        return find_artifacts(self._database, session_id)

    def _total_artifacts(self, session_id: str) -> tuple[int, int]:
        artifacts = self._artifacts
        totals = artifacts.select(fn.COUNT(SQL("*")), *exact_sum(artifacts.byte_size)).where(
            artifacts.session_id == session_id, artifacts.deleted_at.is_null()
        )
        with self._database.read() as connection:
            [(count, high, low)] = connection.execute(totals).fetchall()
        return count, whole_sum(high, low)

    def _soft_delete_artifact(self, key: str, at: datetime) -> None:
        live = (self._artifacts.key == key, self._artifacts.deleted_at.is_null())
        with self._database.write() as connection:
            connection.execute(self._artifacts.update(deleted_at=at).where(*live))


def find_artifacts(database: Database, session_id: str) -> list[Artifact]:
    """Return the live artifacts of a session by (created_at, id)."""
    artifacts = database.models.ArtifactRow
    return _found(database, artifacts.session_id == session_id, artifacts.deleted_at.is_null())


def _found(database: Database, *conditions: Any) -> list[Artifact]:
    artifacts = database.models.ArtifactRow
    query = selected(artifacts, ARTIFACT_COLUMNS).where(*conditions).order_by(artifacts.created_at, artifacts.id)
    with database.read() as connection:
        return [database.codec.artifact(row) for row in connection.execute(query).fetchall()]
