"""Reading sessions, runs and events: neutral queries in SQLAlchemy's words, rows to models through core's codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Text, bindparam, exists, func, literal, select, tuple_

from asm_backend_sqlmodel.columns import carries, raw_columns
from asm_backend_sqlmodel.hints import unindexed
from asm_backend_sqlmodel.models import EventRow, RunRow, SequenceRow, SessionRow
from asm_core.ports import Reader
from asm_core.sql.filters import bounds, choices
from asm_core.sql.tables import EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Select, Table

    from asm_backend_sqlmodel.database import Database
    from asm_core import Event, Run, Session
    from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

SESSIONS: Final[Table] = SessionRow.__table__  # type: ignore[attr-defined]
RUNS: Final[Table] = RunRow.__table__  # type: ignore[attr-defined]
EVENTS: Final[Table] = EventRow.__table__  # type: ignore[attr-defined]
SEQUENCES: Final[Table] = SequenceRow.__table__  # type: ignore[attr-defined]

Condition = ColumnElement[bool]

_SESSIONS: Final = select(*raw_columns(SESSIONS, SESSION_COLUMNS))
_RUNS: Final = select(*raw_columns(RUNS, RUN_COLUMNS))
_EVENTS: Final = select(*raw_columns(EVENTS, EVENT_COLUMNS))
_SESSION: Final = _SESSIONS.where(SESSIONS.c.id == bindparam("id"))
_RUN: Final = _RUNS.where(RUNS.c.id == bindparam("id"))


class SQLModelReader(Reader):
    """The primitives that the ports share."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database
        self._codec = database.codec

    def _rows(self, statement: Select[Any], parameters: dict[str, Any] | None = None) -> list[Any]:
        with self._database.read() as connection:
            return list(connection.execute(statement, parameters).all())

    def _load_session(self, session_id: str) -> Session | None:
        rows = self._rows(_SESSION, {"id": session_id})
        return self._codec.session(rows[0]) if rows else None

    def _load_run(self, run_id: str) -> Run | None:
        rows = self._rows(_RUN, {"id": run_id})
        return self._codec.run(rows[0]) if rows else None

    def _find_sessions(self, query: SessionQuery) -> list[Session]:
        rows = self._rows(arranged(_SESSIONS.where(*session_filters(query)), SESSIONS, query))
        return [self._codec.session(row) for row in rows]

    def _find_runs(self, query: RunQuery) -> list[Run]:
        rows = self._rows(arranged(_RUNS.where(*run_filters(query)), RUNS, query))
        return [self._codec.run(row) for row in rows]

    def _find_events(self, query: EventQuery) -> list[Event]:
        rows = self._rows(arranged(_EVENTS.where(*event_filters(query)), EVENTS, query))
        return [self._codec.event(row) for row in rows]

    def _latest_sequences(self, session_ids: Collection[str]) -> dict[str, int]:
        statement = (
            select(SESSIONS.c.id, func.coalesce(SEQUENCES.c.last_sequence, 0))
            .outerjoin(SEQUENCES, SEQUENCES.c.session_id == SESSIONS.c.id)
            .where(SESSIONS.c.id.in_(session_ids))
        )
        return {session_id: last for session_id, last in self._rows(statement)}  # noqa: C416  rows are no pairs


def arranged(statement: Select[Any], table: Table, query: Any) -> Select[Any]:
    """Return `statement` in the order of `query`, from its start on, no longer than its limit."""
    key = [table.c[field] for field in query.order.key]
    if query.start is not None:
        statement = statement.where(behind(key, query.start, descending=query.order.descending))
    statement = statement.order_by(*[column.desc() if query.order.descending else column for column in key])
    offset = getattr(query, "offset", 0)
    if query.limit is not None:
        # SQLite takes 64 bits; no table has more rows than that.
        statement = statement.limit(min(query.limit, (1 << 63) - 1))
    return statement.offset(offset) if offset else statement


def behind(key: list[Any], start: tuple[Any, ...], *, descending: bool = False) -> Condition:
    """Return the condition that a row comes behind the one with the key `start`."""
    place = tuple_(*[literal(value, column.type) for column, value in zip(key, start, strict=True)])
    return tuple_(*key) < place if descending else tuple_(*key) > place


def session_filters(query: SessionQuery) -> list[Condition]:
    """Return the conditions that sessions must meet."""
    sessions = SESSIONS.c
    conditions = [*filters(SESSIONS, query), *[tagged(tag) for tag in query.tags]]
    if query.providers is not None:
        runs = exists().where(RUNS.c.session_id == sessions.id, unindexed(RUNS.c.provider).in_(query.providers))
        conditions.append(runs)
    if not query.include_deleted:
        conditions.append(sessions.deleted_at.is_(None))
    return conditions


def run_filters(query: RunQuery) -> list[Condition]:
    """Return the conditions that runs must meet."""
    of_sessions = query.session_ids is not None
    return filters(RUNS, query, aside=("status", "provider") if of_sessions else ())


def event_filters(query: EventQuery) -> list[Condition]:
    """Return the conditions that events must meet."""
    return filters(EVENTS, query)


def filters(
    table: Table, query: SessionQuery | RunQuery | EventQuery | UsageQuery, *, aside: Collection[str] = ()
) -> list[Condition]:
    """Return the conditions on columns of `table`; the indexes of those `aside` are not to be used."""
    return [
        *[
            one_of(unindexed(table.c[name]) if name in aside else table.c[name], chosen)
            for name, chosen in choices(query)
        ],
        *[compare(table.c[name], value) for name, compare, value in bounds(query)],
    ]


def one_of(column: ColumnElement[Any], values: Sequence[Any]) -> Condition:
    """Return the condition that `column` has one of these values."""
    return column == values[0] if len(values) == 1 else column.in_(values)


def allowed(column: ColumnElement[Any], choice: Collection[Any] | None) -> Iterable[Condition]:
    """Return the condition that `column` has one of these values; nothing where there is no filter."""
    return () if choice is None else (one_of(column, [str(value) for value in choice]),)


def tagged(tag: str) -> Condition:
    """Return the condition that a session carries `tag`."""
    return carries(SESSIONS.c.tags, literal(tag, Text))
