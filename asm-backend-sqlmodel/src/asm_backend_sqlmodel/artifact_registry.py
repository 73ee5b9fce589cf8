"""Artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, literal, or_, select, update

from asm_backend_sqlmodel.columns import raw_columns
from asm_backend_sqlmodel.database import exact_sum
from asm_backend_sqlmodel.models import ArtifactRow
from asm_backend_sqlmodel.reader import SESSIONS
from asm_core import ArtifactRegistry, SessionNotFoundError, StorageError
from asm_core.conflicts import artifact_taken
from asm_core.sql import is_collision
from asm_core.sql.summing import whole_sum
from asm_core.sql.tables import ARTIFACT_COLUMNS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Table

    from asm_backend_sqlmodel.connection import TableConnection
    from asm_backend_sqlmodel.database import Database
    from asm_core import Artifact
    from asm_core.sql import Codec

ARTIFACTS: Final[Table] = ArtifactRow.__table__  # type: ignore[attr-defined]

_TRIES: Final = 100
_ARTIFACTS: Final = select(*raw_columns(ARTIFACTS, ARTIFACT_COLUMNS))


class SQLModelArtifactRegistry(ArtifactRegistry):
    """The artifact registry on SQLModel."""

    def __init__(self, database: Database) -> None:
        """Register in `database`."""
        self._database = database
        self._codec = database.codec

    def _register(self, artifact: Artifact) -> None:
        for _ in range(_TRIES):
            try:
                return self._register_once(artifact)
            except StorageError as error:
                if not is_collision(error):
                    raise
                # Somebody registered the id or the key since it was looked for: look again.
        message = f"The key {artifact.key!r} was registered and removed {_TRIES} times meanwhile; try again."
        raise StorageError(message)

    def _register_once(self, artifact: Artifact) -> None:
        with self._database.write() as connection:
            session_id = artifact.session_id
            if session_id is not None:
                known = connection.execute(select(literal(1)).where(SESSIONS.c.id == session_id)).first()
                if known is None:
                    raise SessionNotFoundError(session_id)
            same = or_(ARTIFACTS.c.id == artifact.id, ARTIFACTS.c.key == artifact.key)
            found = [self._codec.artifact(row) for row in connection.execute(_ARTIFACTS.where(same))]
            for other in sorted(found, key=lambda other: other.id != artifact.id):
                if other == artifact:
                    return
                if other.deleted_at is None or other.key != artifact.key:
                    raise artifact_taken(other, artifact)
                connection.execute(delete(ARTIFACTS).where(ARTIFACTS.c.id == other.id))
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
