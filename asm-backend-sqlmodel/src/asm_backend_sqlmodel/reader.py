"""Reading sessions, runs and events: neutral queries in SQLAlchemy's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Text, exists, func, literal, select, tuple_

from asm_backend_sqlmodel.columns import among, carries_all, raw_columns
from asm_backend_sqlmodel.database import Database
from asm_backend_sqlmodel.hints import unindexed
from asm_backend_sqlmodel.models import EventRow, RunRow, SequenceRow, SessionRow
from asm_core.sql import Several, SQLReader, Statement
from asm_core.sql.filters import bounds, choices
from asm_core.sql.tables import EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Select, Table

    from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

SESSIONS: Final[Table] = SessionRow.__table__  # type: ignore[attr-defined]
RUNS: Final[Table] = RunRow.__table__  # type: ignore[attr-defined]
EVENTS: Final[Table] = EventRow.__table__  # type: ignore[attr-defined]
SEQUENCES: Final[Table] = SequenceRow.__table__  # type: ignore[attr-defined]

Condition = ColumnElement[bool]

_SESSIONS: Final = select(*raw_columns(SESSIONS, SESSION_COLUMNS))
_RUNS: Final = select(*raw_columns(RUNS, RUN_COLUMNS))
_EVENTS: Final = select(*raw_columns(EVENTS, EVENT_COLUMNS))


class SQLModelReader(SQLReader[Database]):
    """The primitives that the ports share."""

    def _select_sessions(self, query: SessionQuery) -> Statement:
        return self._compiled(arranged(_SESSIONS.where(*session_filters(query)), SESSIONS, query))

    def _select_runs(self, query: RunQuery) -> Statement:
        return self._compiled(arranged(_RUNS.where(*run_filters(query)), RUNS, query))

    def _select_events(self, query: EventQuery) -> Statement:
        return self._compiled(arranged(_EVENTS.where(*filters(EVENTS, query)), EVENTS, query))

    def _select_heads(self, query: SessionQuery) -> Statement:
        heads = select(SESSIONS.c.id, func.coalesce(SEQUENCES.c.last_sequence, 0))
        counted = heads.outerjoin(SEQUENCES, SEQUENCES.c.session_id == SESSIONS.c.id)
        return self._compiled(counted.where(*session_filters(query)))

    def _compiled(self, statement: Select[Any]) -> Statement:
        compiled = statement.compile(dialect=self._database.engine_dialect)
        names = compiled.positiontup
        parameters = compiled.params
        return Statement(str(compiled), parameters if names is None else [parameters[name] for name in names])

    def _rows(self, statement: Select[Any]) -> list[Any]:
        with self._database.read() as connection:
            return list(connection.execute(statement).all())


def arranged(statement: Select[Any], table: Table, query: Any) -> Select[Any]:
    """Return `statement` in the order of `query`, from its start on."""
    key = [table.c[field] for field in query.order.key]
    if query.start is not None:
        statement = statement.where(behind(key, query.start, descending=query.order.descending))
    return statement.order_by(*[column.desc() if query.order.descending else column for column in key])


def behind(key: list[Any], start: tuple[Any, ...], *, descending: bool = False) -> Condition:
    """Return the condition that a row comes behind the one with the key `start`."""
    place = tuple_(*[literal(value, column.type) for column, value in zip(key, start, strict=True)])
    return tuple_(*key) < place if descending else tuple_(*key) > place


def session_filters(query: SessionQuery) -> list[Condition]:
    """Return the conditions that sessions must meet."""
    sessions = SESSIONS.c
    conditions = filters(SESSIONS, query)
    if query.tags:
        conditions.append(carries_all(sessions.tags, *[literal(mark, Text) for mark in query.tags]))
    if query.providers is not None:
        provided = chosen(unindexed(RUNS.c.provider), query.providers[0])
        conditions.append(exists().where(RUNS.c.session_id == sessions.id, provided))
    if not query.include_deleted:
        conditions.append(sessions.deleted_at.is_(None))
    return conditions


def run_filters(query: RunQuery) -> list[Condition]:
    """Return the conditions that runs must meet."""
    of_sessions = query.session_ids is not None
    return filters(RUNS, query, aside=("status", "provider") if of_sessions else ())


def filters(
    table: Table, query: SessionQuery | RunQuery | EventQuery | UsageQuery, *, aside: Collection[str] = ()
) -> list[Condition]:
    """Return the conditions on columns of `table`; the indexes of those `aside` are not to be used."""
    return [
        *[
            chosen(unindexed(table.c[name]) if name in aside else table.c[name], value)
            for name, value in choices(query)
        ],
        *[compare(table.c[name], literal(value, table.c[name].type)) for name, compare, value in bounds(query)],
    ]


def chosen(column: ColumnElement[Any], choice: str) -> Condition:
    """Return the condition that `column` has the value of a query, or one of several."""
    return among(column, literal(choice, Text)) if isinstance(choice, Several) else column == choice


def allowed(column: ColumnElement[Any], choice: Collection[Any] | None) -> Iterable[Condition]:
    """Return the condition that `column` has one of these values; nothing where there is no filter."""
    return () if choice is None else (column.in_([str(value) for value in choice]),)
