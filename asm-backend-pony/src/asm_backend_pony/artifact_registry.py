"""Artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pony.orm import count, raw_sql, select

from asm_core import ArtifactRegistry
from asm_core.sql import SQLArtifactRegistry
from asm_core.sql.saving import insertion
from asm_core.sql.summing import HALF, whole_sum
from asm_core.sql.tables import ARTIFACT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pony.orm.core import Query

    from asm_backend_pony.database import Database
    from asm_core import Artifact

HALVED: Final = 1 << HALF
"""What a number is divided by for its high half, and leaves as its low one."""


class PonyArtifactRegistry(SQLArtifactRegistry["Database"], ArtifactRegistry):
    """Metadata of artifacts."""

    def __init__(self, database: Database) -> None:
        """Read from and write to `database`."""
        self._database = database
        self._codec = database.codec
        self._rows = database.models.ArtifactRow
        mark = database.columns.mark
        self._insert = insertion("asm_artifacts", ARTIFACT_COLUMNS, database.dialect)
        self._mark_deleted = f"UPDATE asm_artifacts SET deleted_at = {mark} WHERE key = {mark} AND deleted_at IS NULL"  # noqa: S608

    def _has_session(self, session_id: str) -> bool:
        with self._database.read() as connection:
            return bool(connection.values(select(s.id for s in self._database.models.SessionRow if s.id == session_id)))

    def _find_like(self, artifact: Artifact) -> list[Artifact]:
        id_, key = artifact.id, artifact.key
        return self._find(self._all().where(lambda a: a.id == id_ or a.key == key))

    def _put(self, in_place_of: Sequence[str], artifact: Artifact) -> None:
        ids = self._database.columns.several(in_place_of)
        with self._database.write() as connection:
            connection.delete(select(a for a in self._rows if a.id in ids))
            connection.execute_sql(self._insert, self._codec.artifact_row(artifact))

    def _load_by_key(self, key: str) -> Artifact | None:
        return next(iter(self._find(self._all().where(lambda a: a.key == key and a.deleted_at is None))), None)

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        live = self._all().where(lambda a: a.session_id == session_id and a.deleted_at is None)
        return self._find(live.order_by(raw_sql("a.created_at, a.id")))

    def _total_artifacts(self, session_id: str) -> tuple[int, int]:
        live = select(
            (count(), sum(a.byte_size // HALVED), sum(a.byte_size % HALVED))
            for a in self._rows
            if a.session_id == session_id and a.deleted_at is None
        )
        with self._database.read() as connection:
            ((number, high, low),) = connection.rows(live)
        return number, whole_sum(int(high), int(low))

    def _soft_delete_artifact(self, key: str, at: datetime) -> None:
        with self._database.write() as connection:
            connection.execute_sql(self._mark_deleted, (self._codec.encode(at), key))

    def _all(self) -> Query:
        columns = self._database.columns.of("a", ARTIFACT_COLUMNS)
        return select(columns for a in self._rows).without_distinct()

    def _find(self, found: Query) -> list[Artifact]:
        with self._database.read() as connection:
            return [self._codec.artifact(row) for row in connection.rows(found)]
