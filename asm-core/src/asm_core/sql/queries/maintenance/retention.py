"""The searches of a maintenance pass: sessions and artifacts, by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.models import TERMINAL_SESSION_STATUSES
from asm_core.sql.queries.tags import tag_list
from asm_core.sql.queries.where import Statement, Where

if TYPE_CHECKING:
    from datetime import datetime

    from asm_core.retention import (
        DeletedSessions,
        Exemption,
        ExpiredSessions,
        OversizedSessions,
        PrunableSessions,
        RemovableArtifacts,
    )
    from asm_core.sql.queries.words import Words

_ENDED: Final = tuple(sorted(TERMINAL_SESSION_STATUSES))


class RetentionQueries:
    """The conditions and statements of one dialect."""

    def __init__(self, words: Words) -> None:
        """Use the syntax of `words`."""
        self._words = words
        # A join: a distributed PostgreSQL rejects a correlated subquery on a table that it spreads.
        self._sources = {
            "sessions": f"{words.sessions} s",
            "artifacts": f"{words.artifacts} a LEFT JOIN {words.sessions} s ON s.id = a.session_id",
        }

    def expired(self, query: ExpiredSessions) -> Where:
        """Return the conditions of sessions to soft-delete."""
        by_age, by_end, by_rest = Where(self._words), Where(self._words), Where(self._words)
        last = (
            f"(SELECT e.timestamp FROM {self._words.events} e WHERE e.session_id = s.id "
            "ORDER BY e.sequence_number DESC LIMIT 1)"
        )
        by_age.compare("s.created_at <", query.created_before)
        by_end.one_of("s.status", _ENDED)
        by_end.compare("s.updated_at <", query.ended_before)
        # One row of the index by number, however long the log is.
        by_rest.compare(f"coalesce({last}, s.created_at) <", query.idle_before)
        where = self._touchable(query.exempt)
        where.add("s.deleted_at IS NULL")
        limits = (by_age, query.created_before), (by_end, query.ended_before), (by_rest, query.idle_before)
        where.either(*[reason for reason, limit in limits if limit is not None])
        return where

    def deleted(self, query: DeletedSessions) -> Where:
        """Return the conditions of sessions to remove."""
        where = self._touchable(query.exempt)
        where.compare("s.deleted_at <", query.deleted_before)
        return where

    def oversized(self, query: OversizedSessions) -> Where:
        """Return the conditions of sessions that may have too many events, by their last sequence number."""
        where = self._touchable(query.exempt, not_due=query.deleted_before)
        counters, mark = self._words.counters, self._words.mark
        beyond = f"EXISTS (SELECT 1 FROM {counters} c WHERE c.session_id = s.id AND c.last_sequence > {mark})"
        where.add(beyond, query.max_events)
        return where

    def removable(self, query: RemovableArtifacts) -> Where:
        """Return the conditions of artifacts to remove, each with its session."""
        orphaned = Where(self._words)
        orphaned.add("a.session_id IS NOT NULL AND (s.id IS NULL OR s.removing_at IS NOT NULL)")
        reasons = [orphaned]
        if query.deleted_before is not None:
            reasons.append(Where(self._words))
            reasons[-1].compare("a.deleted_at <", query.deleted_before)
        if query.gone_before is not None:
            due = self._touchable(query.exempt)
            due.compare("s.deleted_at <", query.gone_before)
            reasons.append(due)
        where = Where(self._words)
        where.either(*reasons)
        return where

    def prunable(self, query: PrunableSessions) -> Statement:
        """Select the ids of the sessions whose events may be pruned; lock them if they must not be removed."""
        where = self._touchable(query.exempt, not_due=query.deleted_before)
        where.one_of("s.id", query.ids)
        lock = self._words.locking("KEY SHARE") if query.hold else ""
        return where.statement(f"SELECT s.id FROM {self._words.sessions} s {where} ORDER BY s.id{lock}")

    def ahead(self, table: str, after: str, rows: int) -> Statement:
        """Select the id that is `rows` after another one."""
        mark = self._words.mark
        name, alias = self._words.tables[table], table[0]
        ahead = (
            f"SELECT {alias}.id FROM {name} {alias} WHERE {alias}.id > {mark} "
            f"ORDER BY {alias}.id LIMIT 1 OFFSET {rows - 1}"
        )
        return Statement(ahead, (after,))

    def between(self, table: str, where: Where, ids: tuple[str, str | None], limit: int) -> Statement:
        """Select the ids of rows that meet conditions, after one id and up to another."""
        source, alias = self._sources[table], table[0]
        where.add(f"{alias}.id > {self._words.mark}", ids[0])
        where.compare(f"{alias}.id <=", ids[1])
        return where.statement(f"SELECT {alias}.id FROM {source} {where} ORDER BY {alias}.id LIMIT {limit}")

    def among(self, table: str, where: Where, ids: tuple[str, ...]) -> Statement:
        """Lock the rows with these ids that meet conditions, and select their ids."""
        source, alias = self._sources[table], table[0]
        chosen = Where(self._words)
        chosen.either(where)
        chosen.one_of(f"{alias}.id", ids)
        lock = self._words.locking(f"UPDATE OF {alias}")
        return chosen.statement(f"SELECT {alias}.id FROM {source} {chosen} ORDER BY {alias}.id{lock}")

    def _touchable(self, exemption: Exemption, *, not_due: datetime | None = None) -> Where:
        """Return the conditions of sessions that may be changed, except those that will be removed anyway."""
        where, words = Where(self._words), self._words
        where.add("s.removing_at IS NULL")
        if exemption.statuses:
            where.one_of("NOT s.status", exemption.statuses)
        if exemption.tags:
            carried = words.tags.carries_any.format(tags="s.tags", wanted=words.mark)
            where.add(f"NOT {carried}", tag_list(exemption.tags))
        if not_due is not None:
            where.add(f"(s.deleted_at IS NULL OR s.deleted_at >= {words.mark})", words.codec.encode(not_due))
        return where
