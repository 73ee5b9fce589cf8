"""The metadata of artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.sql.queries.saves import insertion
from asm_core.sql.queries.totals import halves
from asm_core.sql.queries.where import Statement, Where
from asm_core.sql.schema.tables import ARTIFACT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.models import Artifact
    from asm_core.sql.queries.words import Words


class ArtifactQueries:
    """The statements of the registry, in one dialect."""

    def __init__(self, words: Words) -> None:
        """Use the syntax of `words`."""
        self._words = words
        self._select = f"SELECT {words.selected['a']} FROM {words.artifacts} a"
        self._insert = insertion(words.artifacts, "a", ARTIFACT_COLUMNS, words)

    def session(self, session_id: str) -> Statement:
        """Select a row if the session exists."""
        return Statement(
            f"SELECT 1 FROM {self._words.sessions} s WHERE s.id = {self._words.mark} AND s.removing_at IS NULL",
            (session_id,),
        )

    def like(self, artifact: Artifact) -> Statement:
        """Select the artifacts with the id or the key of this one, also deleted ones."""
        mark = self._words.mark
        return Statement(f"{self._select} WHERE a.id = {mark} OR a.key = {mark}", (artifact.id, artifact.key))

    def insert(self, artifact: Artifact) -> Statement:
        """Store an artifact."""
        return Statement(self._insert, self._words.codec.artifact_row(artifact))

    def remove(self, artifact_ids: Sequence[str]) -> Statement:
        """Remove the artifacts with these ids."""
        where = Where(self._words)
        where.one_of("a.id", artifact_ids)
        return where.statement(f"DELETE FROM {self._words.artifacts} AS a {where}")

    def by_key(self, key: str) -> Statement:
        """Select the live artifact of a key."""
        return Statement(f"{self._select} WHERE a.key = {self._words.mark} AND a.deleted_at IS NULL", (key,))

    def of_session(self, session_id: str) -> Statement:
        """Select the live artifacts of a session by (created_at, id)."""
        return Statement(
            f"{self._select} WHERE a.session_id = {self._words.mark} AND a.deleted_at IS NULL "
            "ORDER BY a.created_at, a.id",
            (session_id,),
        )

    def refs(self, storage_backend: str, refs: Sequence[str]) -> Statement:
        """Select those of these locations that an artifact of this storage has, a deleted one included."""
        where = Where(self._words)
        where.one_of("a.storage_ref", refs)
        where.one_of("a.storage_backend", [storage_backend])
        return where.statement(f"SELECT a.storage_ref FROM {self._words.artifacts} a {where}")

    def total(self, session_id: str) -> Statement:
        """Select the number of live artifacts of a session, and the halves of the sum of their bytes."""
        return Statement(
            f"SELECT count(*), {halves('a.byte_size')} FROM {self._words.artifacts} a "
            f"WHERE a.session_id = {self._words.mark} AND a.deleted_at IS NULL",
            (session_id,),
        )

    def soft_delete(self, key: str, at: datetime) -> Statement:
        """Mark the live artifact of a key as deleted."""
        mark, artifacts = self._words.mark, self._words.artifacts
        return Statement(
            f"UPDATE {artifacts} AS a SET deleted_at = {mark} WHERE a.key = {mark} AND a.deleted_at IS NULL",
            (self._words.codec.encode_time(at), key),
        )
