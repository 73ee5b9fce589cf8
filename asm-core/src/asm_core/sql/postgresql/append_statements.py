"""The statements of the append on PostgreSQL, with the tables in one schema."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from asm_core.sql.schema.tables import EVENT_COLUMNS

if TYPE_CHECKING:
    from asm_core.sql.queries.words import Words

CHANNEL: Final = "asm_appended"
"""The channel of notifications that a session has new events, which the server sends with their commit."""
GIVEN: Final = tuple(name for name in EVENT_COLUMNS if name != "sequence_number")
JSON: Final = ("data", "metadata")

_TYPES: Final = {"timestamp": "timestamptz", "schema_version": "bigint", "sequence_number": "bigint"}
_READ: Final = {
    "data": "e.data::text",
    "metadata": "e.metadata::text",
    "timestamp": "e.timestamp AT TIME ZONE 'UTC'",
}


class AppendStatements:
    """What the append executes; with `notify`, what it returns has one more column, which notifies.

    Attributes:
        one: appends one event; nearly twice as fast as the statement of several.
        to_several: appends events to several sessions.
        stored: selects events of a session by their ids.
        elsewhere: selects events by their ids alone, which no other statement does: only where an id is unique in the
            whole table there is an index for it.
        numbers: selects the numbers of a session between two.
        restore: inserts events with the numbers that they bear.
        raise_to: raises the counter of a session to a number.
        sessions: locks sessions against removal, and selects whether they are deleted and in removal.
        lock: makes counters that are missing, and locks all, in the order in which all writers lock.
        notify: notifies of one session.
        notifies: whether that is to be done.
        plainly: whether events are appended with `raise_by` and `insert`, and rows locked, a session at a time.
        raise_by: raises the counter of a session by a number.
    """

    notify: Final = f"SELECT pg_notify('{CHANNEL}', %s::text)"

    def __init__(self, words: Words, *, notify: bool) -> None:
        """Write the statements once."""
        self._words = words
        self.notifies = notify
        self.plainly = words.singly
        # The server folds what one transaction notifies twice.
        self._notifying = f", pg_notify('{CHANNEL}', session_id)" if notify else ""
        events, counters, sessions = words.events, words.counters, words.sessions
        self.one = self._one()
        self.to_several = self._to_several()
        columns = ", ".join(_READ.get(name, f"e.{name}") for name in EVENT_COLUMNS)
        self.elsewhere = f"SELECT {columns} FROM {events} e WHERE e.id = ANY(%s)"
        self.stored = f"{self.elsewhere} AND e.session_id = %s"
        self.numbers = (
            f"SELECT e.sequence_number FROM {events} e WHERE e.session_id = %s AND e.sequence_number BETWEEN %s AND %s"
        )
        self.restore = f"""\
INSERT INTO {events} ({", ".join(EVENT_COLUMNS)})
SELECT {", ".join(f"given.{name}{_cast(name)}" for name in EVENT_COLUMNS)}
FROM unnest({", ".join(f"%s::{_type(name)}[]" for name in EVENT_COLUMNS)}) AS given ({", ".join(EVENT_COLUMNS)})"""
        self.raise_by = (
            f"UPDATE {counters} AS c SET last_sequence = c.last_sequence + %s, updated_at = %s::timestamptz, "
            "active_at = GREATEST(c.active_at, %s::timestamptz) "
            "WHERE c.session_id = %s AND c.deleted_at IS NULL RETURNING c.last_sequence"
        )
        # GREATEST ignores NULL.
        self.raise_to = (
            f"UPDATE {counters} AS c SET last_sequence = GREATEST(c.last_sequence, %s), "
            "active_at = GREATEST(c.active_at, %s::timestamptz) WHERE c.session_id = %s"
        )
        self.sessions = (
            f"SELECT s.id, s.deleted_at IS NOT NULL, s.removing_at IS NOT NULL FROM {sessions} s "
            "WHERE s.id = ANY(%s) ORDER BY s.id FOR KEY SHARE"
        )
        self.lock = f"""\
INSERT INTO {counters} AS c (session_id, last_sequence, updated_at, user_id, active_at)
SELECT s.id, 0, %s::timestamptz, s.user_id, {words.second.format("s.created_at")}
FROM {sessions} s WHERE s.id = ANY(%s) ORDER BY s.id
ON CONFLICT (session_id) DO UPDATE SET last_sequence = c.last_sequence
RETURNING c.session_id, c.deleted_at IS NOT NULL"""

    @lru_cache(maxsize=128)  # noqa: B019  as long as the process lives: there is one for each schema
    def to_one(self, shared: tuple[str, ...], own: tuple[str, ...], *, is_sorted: bool) -> str:
        """Return the statement that appends to one session.

        What the events have in common is sent once, the rest as an array each; but JSON, which is full of quotes, as
        lines, a tenth of the time of the whole. Ids that are in order need not be put in order.
        """
        values = [
            *(f"%s::{_type(name)}{_cast(name)}" for name in shared),
            *(f"given.{name}{_cast(name)}" for name in own),
        ]
        return f"""\
WITH counter AS (
    UPDATE {self._words.counters} AS c SET last_sequence = c.last_sequence + %s, updated_at = %s::timestamptz,
    active_at = GREATEST(c.active_at, %s::timestamptz)
    WHERE c.session_id = %s::text AND c.deleted_at IS NULL RETURNING c.session_id, c.last_sequence
), stored AS (
    INSERT INTO {self._words.events} ({", ".join((*shared, *own))}, sequence_number)
    SELECT {", ".join(values)}, counter.last_sequence - %s::bigint + given.place
    FROM counter, unnest({", ".join(map(_list_mark, own))})
    WITH ORDINALITY AS given ({", ".join(own)}, place){"" if is_sorted else ' ORDER BY given.id COLLATE "C"'}
)
SELECT last_sequence{self._notifying} FROM counter"""

    @lru_cache(maxsize=256)  # noqa: B019  as above
    def insert(self, rows: int) -> str:
        """Return the statement that inserts this number of numbered events."""
        marks = ", ".join(f"%s::{'json' if name in JSON else _type(name)}" for name in EVENT_COLUMNS)
        return (
            f"INSERT INTO {self._words.events} ({', '.join(EVENT_COLUMNS)}) VALUES {', '.join([f'({marks})'] * rows)}"
        )

    def _one(self) -> str:
        return f"""\
WITH counter AS (
    UPDATE {self._words.counters} AS c SET last_sequence = c.last_sequence + 1, updated_at = %s::timestamptz,
    active_at = GREATEST(c.active_at, %s::timestamptz)
    WHERE c.session_id = %s::text AND c.deleted_at IS NULL RETURNING c.last_sequence
)
INSERT INTO {self._words.events} ({", ".join(GIVEN)}, sequence_number)
SELECT {", ".join(f"%s::{'json' if name in JSON else _type(name)}" for name in GIVEN)}, counter.last_sequence
FROM counter
RETURNING sequence_number{self._notifying}"""

    def _to_several(self) -> str:
        """Return the statement for several sessions.

        A counter is never null: where a session was deleted while this waited for its counter, the statement fails.
        """
        counters = self._words.counters
        return f"""\
WITH given AS (
    SELECT *, count(*) OVER of_session AS events, row_number() OVER (of_session ORDER BY place) AS nth
    FROM unnest({", ".join(f"%s::{_type(name)}[]" for name in GIVEN)})
    WITH ORDINALITY AS events ({", ".join(GIVEN)}, place)
    WINDOW of_session AS (PARTITION BY session_id)
), sessions AS (
    SELECT given.session_id, max(given.events) AS events, max(given.timestamp) AS latest,
        (SELECT c.deleted_at IS NULL FROM {counters} c WHERE c.session_id = given.session_id) AS counted
    FROM given GROUP BY given.session_id
), counters AS (
    INSERT INTO {counters} AS c (session_id, last_sequence, updated_at, active_at)
    SELECT sessions.session_id, sessions.events, %s::timestamptz, {self._words.second.format("sessions.latest")}
    FROM sessions
    WHERE (SELECT bool_and(counted IS TRUE) FROM sessions) ORDER BY sessions.session_id COLLATE "C"
    ON CONFLICT (session_id) DO UPDATE
    SET last_sequence = CASE WHEN c.deleted_at IS NULL THEN c.last_sequence + excluded.last_sequence END,
    updated_at = excluded.updated_at, active_at = GREATEST(c.active_at, excluded.active_at)
    RETURNING c.session_id, c.last_sequence
)
INSERT INTO {self._words.events} ({", ".join(GIVEN)}, sequence_number)
SELECT {", ".join(f"given.{name}{_cast(name)}" for name in GIVEN)}, counters.last_sequence - given.events + given.nth
FROM given JOIN counters ON counters.session_id = given.session_id ORDER BY given.id COLLATE "C"
RETURNING id, sequence_number{self._notifying}"""


@lru_cache(maxsize=64)
def append_statements(words: Words, *, notify: bool) -> AppendStatements:
    """Return the statements for the tables of `words`."""
    return AppendStatements(words, notify=notify)


def _type(column: str) -> str:
    return _TYPES.get(column, "text")


def _cast(column: str) -> str:
    return "::json" if column in JSON else ""


def _list_mark(column: str) -> str:
    """Return the mark for the values of a column, which is an array of them."""
    return "string_to_array(%s::text, chr(10))" if column in JSON else f"%s::{_type(column)}[]"
