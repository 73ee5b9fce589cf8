"""The statements of the append on SQLite."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.queries.words import words_of
from asm_core.sql.rows.columns import FEW
from asm_core.sql.schema.tables import EVENT_COLUMNS

_WORDS: Final = words_of(Dialect.SQLITE)
_COLUMNS: Final = ", ".join(EVENT_COLUMNS)

# SQLite writes the index entries of a column in the SET list, even if its value stays.
RAISE_IN_SECOND: Final = (
    f"UPDATE {_WORDS.counters} SET last_sequence = last_sequence + ?, updated_at = ? "
    "WHERE +active_at >= ? AND session_id = ? AND deleted_at IS NULL RETURNING last_sequence"
)
"""Raises a counter if the session was active in this second or later: the usual case."""
RAISE: Final = (
    f"UPDATE {_WORDS.counters} SET last_sequence = last_sequence + ?, updated_at = ?, active_at = MAX(active_at, ?) "
    "WHERE session_id = ? AND deleted_at IS NULL RETURNING last_sequence"
)
LOWER: Final = f"UPDATE {_WORDS.counters} SET last_sequence = last_sequence - 1 WHERE session_id = ?"
"""Takes the last number back."""
BEGIN_COUNT: Final = (
    f"INSERT INTO {_WORDS.counters} (session_id, last_sequence, updated_at, user_id, active_at) "
    f"SELECT s.id, ?, ?, s.user_id, MAX({_WORDS.second.format('s.created_at')}, ?) "
    f"FROM {_WORDS.sessions} s WHERE s.id = ? AND s.deleted_at IS NULL "
    "ON CONFLICT (session_id) DO NOTHING RETURNING last_sequence"
)
RAISE_TO: Final = (
    f"UPDATE {_WORDS.counters} SET last_sequence = MAX(last_sequence, ?), active_at = MAX(active_at, ?) "
    "WHERE session_id = ?"
)
NUMBERS: Final = f"SELECT sequence_number FROM {_WORDS.events} WHERE session_id = ? AND sequence_number BETWEEN ? AND ?"
SELECT: Final = f"SELECT {_COLUMNS} FROM {_WORDS.events} WHERE "
INSERT_ONE: Final = f"INSERT OR IGNORE INTO {_WORDS.events} ({_COLUMNS}) VALUES ({', '.join('?' * len(EVENT_COLUMNS))})"
"""An event with its number; no row if its id or number exists."""
INSERT_NEXT: Final = (
    f"INSERT INTO {_WORDS.events} ({_COLUMNS}) "
    f"SELECT {', '.join('c.last_sequence + 1' if name == 'sequence_number' else '?' for name in EVENT_COLUMNS)} "
    f"FROM {_WORDS.counters} c WHERE c.session_id = ? AND c.deleted_at IS NULL "
    "ON CONFLICT (id) DO NOTHING RETURNING sequence_number"
)
"""An event with the next number of its session; no row if its id exists, or the counter is deleted or missing."""


@lru_cache(maxsize=2 * FEW)
def raise_statement(size: int, *, in_second: bool) -> str:
    """Return the statement that raises the counters of `size` sessions, each by its own size and time.

    With `in_second`, only those of sessions that were active in this second or later, as `RAISE_IN_SECOND` does.
    """
    active_at = f"{_WORDS.counters}.active_at"
    return (
        f"WITH raised (id, size, active_at) AS (VALUES {', '.join(['(?, ?, ?)'] * size)}) "
        f"UPDATE {_WORDS.counters} SET last_sequence = last_sequence + r.size, updated_at = ?"
        f"{'' if in_second else f', active_at = MAX({active_at}, r.active_at)'} FROM raised r "
        f"WHERE session_id = r.id AND deleted_at IS NULL{f' AND +{active_at} >= r.active_at' if in_second else ''} "
        "RETURNING session_id, last_sequence"
    )


@lru_cache(maxsize=128)
def insert_statement(shared: tuple[str, ...], own: tuple[str, ...], size: int) -> str:
    """Return the statement that inserts `size` rows, with columns that all share and columns of their own."""
    row = f"({', '.join('?' * len(own))})"
    selected = ", ".join([*("?" for _ in shared), *(f"column{place}" for place in range(1, len(own) + 1))])
    # OR IGNORE cannot fail halfway, so SQLite needs no statement journal: a tenth of the time.
    return (
        f"INSERT OR IGNORE INTO {_WORDS.events} ({', '.join((*shared, *own))}) SELECT {selected} "
        f"FROM (VALUES {', '.join([row] * size)})"
    )
