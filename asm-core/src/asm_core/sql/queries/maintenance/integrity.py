"""The invariants of the tables: the queries of a health check, which return rows for violations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.event_log.consistency import (
    EVENTS_ELSEWHERE,
    RUN_ENDED_TWICE,
    RUN_ENDS,
    SESSION_BEGINNINGS,
    SESSION_ENDED_TWICE,
    SESSION_ENDS,
    SHOWN,
)
from asm_core.models import EVENT_TYPES, RUN_STATUSES, SESSION_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words


def _names(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


_QUESTIONS: Final = (
    (
        "Session {0} has an event numbered {1}, after its last sequence number, {2}.",
        "SELECT s.session_id, s.last_event, COALESCE(c.last_sequence, 0) "
        "FROM (SELECT session_id, MAX(sequence_number) AS last_event FROM {events} GROUP BY session_id) s "
        "LEFT JOIN {counters} c ON c.session_id = s.session_id "
        "WHERE s.last_event > COALESCE(c.last_sequence, 0)",
    ),
    (
        "Session {0} has an event numbered {1}; numbers begin at 1.",
        "SELECT session_id, MIN(sequence_number) FROM {events} GROUP BY session_id HAVING MIN(sequence_number) < 1",
    ),
    (
        "{1} events belong to session {0}, which does not exist.",
        "SELECT e.session_id, e.count "
        "FROM (SELECT session_id, COUNT(*) AS count FROM {events} GROUP BY session_id) e "
        "LEFT JOIN {sessions} s ON s.id = e.session_id WHERE s.id IS NULL",
    ),
    (
        "Run {0} belongs to session {1}, which does not exist.",
        "SELECT r.id, r.session_id FROM {runs} r LEFT JOIN {sessions} s ON s.id = r.session_id WHERE s.id IS NULL",
    ),
    (
        "A counter belongs to session {0}, which does not exist.",
        "SELECT c.session_id FROM {counters} c LEFT JOIN {sessions} s ON s.id = c.session_id WHERE s.id IS NULL",
    ),
    (
        "Session {0} has the unknown status {1}.",
        f"SELECT id, status FROM {{sessions}} WHERE status NOT IN ({_names(SESSION_STATUSES)})",
    ),
    (
        "Run {0} has the unknown status {1}.",
        f"SELECT id, status FROM {{runs}} WHERE status NOT IN ({_names(RUN_STATUSES)})",
    ),
    (
        "Event {0} has the unknown type {1}.",
        f"SELECT id, type FROM {{events}} WHERE type NOT IN ({_names(EVENT_TYPES)}) "
        "AND replace(type, '.', '') = type",  # a custom type has a dot
    ),
    (
        "Session {0} and its counter have different times of deletion; soft_delete_session() or undelete_session() "
        "sets both.",
        "SELECT s.id FROM {sessions} s JOIN {counters} c ON c.session_id = s.id "
        "WHERE (s.deleted_at IS NULL) <> (c.deleted_at IS NULL) OR s.deleted_at <> c.deleted_at",
    ),
    (
        RUN_ENDED_TWICE,
        f"SELECT run_id, COUNT(*) FROM {{events}} WHERE type IN ({_names(RUN_ENDS)}) AND run_id IS NOT NULL "
        "GROUP BY run_id HAVING COUNT(*) > 1 ORDER BY run_id",
    ),
    (
        SESSION_ENDED_TWICE,
        "SELECT session_id, sequence_number, type, last_number FROM ("
        "SELECT session_id, sequence_number, type, LAG(type) OVER log AS last_type, "
        "LAG(sequence_number) OVER log AS last_number "
        f"FROM {{events}} WHERE type IN ({_names((*SESSION_ENDS, *SESSION_BEGINNINGS))}) "
        "WINDOW log AS (PARTITION BY session_id ORDER BY sequence_number)) ends "
        f"WHERE type IN ({_names(SESSION_ENDS)}) AND last_type IN ({_names(SESSION_ENDS)}) "
        "ORDER BY session_id, sequence_number",
    ),
    (
        EVENTS_ELSEWHERE,
        "SELECT DISTINCT r.id, r.session_id, e.session_id FROM {events} e JOIN {runs} r ON r.id = e.run_id "
        "WHERE e.session_id <> r.session_id ORDER BY r.id, e.session_id",
    ),
)


def find_faults(execute: Execute, words: Words) -> list[str]:
    """Return the inconsistencies of the tables, one sentence each, with the first cases of each kind."""
    return [
        sentence.format(*row)
        for sentence, question in _QUESTIONS
        for row in execute(f"{question.format(**words.tables)} LIMIT {SHOWN}").fetchall()
    ]
