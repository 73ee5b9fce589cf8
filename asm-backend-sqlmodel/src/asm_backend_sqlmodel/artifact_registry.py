"""Artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, literal, or_, select, update

from asm_backend_sqlmodel.columns import raw_columns
from asm_backend_sqlmodel.database import Database, exact_sum
from asm_backend_sqlmodel.models import ArtifactRow
from asm_backend_sqlmodel.reader import SESSIONS
from asm_core.sql import SQLArtifactRegistry
from asm_core.sql.summing import whole_sum
from asm_core.sql.tables import ARTIFACT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Table

    from asm_backend_sqlmodel.connection import TableConnection
    from asm_core import Artifact
    from asm_core.sql import Codec

ARTIFACTS: Final[Table] = ArtifactRow.__table__  # type: ignore[attr-defined]

_ARTIFACTS: Final = select(*raw_columns(ARTIFACTS, ARTIFACT_COLUMNS))


class SQLModelArtifactRegistry(SQLArtifactRegistry[Database]):
    """The artifact registry on SQLModel."""

    def __init__(self, database: Database) -> None:
        """Register in `database`."""
        self._database = database
        self._codec = database.codec

    def _has_session(self, session_id: str) -> bool:
        with self._database.read() as connection:
            return connection.execute(select(literal(1)).where(SESSIONS.c.id == session_id)).first() is not None

    def _find_like(self, artifact: Artifact) -> list[Artifact]:
        same = or_(ARTIFACTS.c.id == artifact.id, ARTIFACTS.c.key == artifact.key)
        with self._database.read() as connection:
            return [self._codec.artifact(row) for row in connection.execute(_ARTIFACTS.where(same))]

    def _put(self, in_place_of: Sequence[str], artifact: Artifact) -> None:
        with self._database.write() as connection:
            connection.execute(delete(ARTIFACTS).where(ARTIFACTS.c.id.in_(in_place_of)))
            connection.execute(insert(ARTIFACTS), _values(artifact))

    def _load_by_key(self, key: str) -> Artifact | None:
        statement = _ARTIFACTS.where(ARTIFACTS.c.key == key, ARTIFACTS.c.deleted_at.is_(None))
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        return None if row is None else self._codec.artifact(row)

    def _find_artifacts(self, session_id: str) -> list[Artifact]:
        with self._database.read() as connection:
            return find_artifacts(connection, self._codec, session_id)

    def _total_artifacts(self, session_id: str) -> tuple[int, int]:
        statement = select(func.count(), *exact_sum(ARTIFACTS.c.byte_size)).where(
            ARTIFACTS.c.session_id == session_id, ARTIFACTS.c.deleted_at.is_(None)
        )
        with self._database.read() as connection:
            count, high, low = connection.execute(statement).one()
        return count, whole_sum(high, low)

    def _soft_delete_artifact(self, key: str, at: datetime) -> None:
        live = (ARTIFACTS.c.key == key, ARTIFACTS.c.deleted_at.is_(None))
        with self._database.write() as connection:
            connection.execute(update(ARTIFACTS).where(*live).values(deleted_at=at))


def find_artifacts(connection: TableConnection, codec: Codec, session_id: str) -> list[Artifact]:
    """Return the live artifacts of a session by (created_at, id)."""
    statement = _ARTIFACTS.where(ARTIFACTS.c.session_id == session_id, ARTIFACTS.c.deleted_at.is_(None))
    rows = connection.execute(statement.order_by(ARTIFACTS.c.created_at, ARTIFACTS.c.id))
    return [codec.artifact(row) for row in rows]


def _values(artifact: Artifact) -> dict[str, Any]:
    return {name: getattr(artifact, name) for name in ARTIFACTS.c.keys()}  # noqa: SIM118  column names
