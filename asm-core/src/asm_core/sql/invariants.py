"""What must hold in the tables at any time: the questions of a health check, answered by rows where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.models import EVENT_TYPES, RUN_STATUSES, SESSION_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.sql.dialects import Execute

_SHOWN: Final = 5
"""How many cases of one fault a health check names."""


def _names(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


_QUESTIONS: Final = (
    (
        "Session {0} has an event numbered {1}, beyond the last number given out, {2}.",
        "SELECT s.session_id, s.last_event, COALESCE(c.last_sequence, 0) "
        "FROM (SELECT session_id, MAX(sequence_number) AS last_event FROM asm_events GROUP BY session_id) s "
        "LEFT JOIN asm_session_sequences c ON c.session_id = s.session_id "
        "WHERE s.last_event > COALESCE(c.last_sequence, 0)",
    ),
    (
        "Session {0} has an event numbered {1}; numbers begin at 1.",
        "SELECT session_id, MIN(sequence_number) FROM asm_events GROUP BY session_id HAVING MIN(sequence_number) < 1",
    ),
    (
        "{1} events belong to session {0}, which does not exist.",
        "SELECT e.session_id, e.count "
        "FROM (SELECT session_id, COUNT(*) AS count FROM asm_events GROUP BY session_id) e "
        "LEFT JOIN asm_sessions s ON s.id = e.session_id WHERE s.id IS NULL",
    ),
    (
        "Run {0} belongs to session {1}, which does not exist.",
        "SELECT r.id, r.session_id FROM asm_runs r LEFT JOIN asm_sessions s ON s.id = r.session_id WHERE s.id IS NULL",
    ),
    (
        "A counter belongs to session {0}, which does not exist.",
        "SELECT c.session_id FROM asm_session_sequences c LEFT JOIN asm_sessions s ON s.id = c.session_id "
        "WHERE s.id IS NULL",
    ),
    (
        "Session {0} has the unknown status {1}.",
        f"SELECT id, status FROM asm_sessions WHERE status NOT IN ({_names(SESSION_STATUSES)})",
    ),
    (
        "Run {0} has the unknown status {1}.",
        f"SELECT id, status FROM asm_runs WHERE status NOT IN ({_names(RUN_STATUSES)})",
    ),
    (
        "Event {0} has the unknown type {1}.",
        f"SELECT id, type FROM asm_events WHERE type NOT IN ({_names(EVENT_TYPES)})",
    ),
)


def find_faults(execute: Execute) -> list[str]:
    """Return what in the tables contradicts itself, a sentence each, the first few cases of each kind."""
    return [
        sentence.format(*row)
        for sentence, question in _QUESTIONS
        for row in execute(f"{question} LIMIT {_SHOWN}").fetchall()
    ]
