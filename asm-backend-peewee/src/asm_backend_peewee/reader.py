"""Reading sessions, runs and events: neutral queries in Peewee's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import JOIN, NodeList, Tuple, Value, fn

from asm_backend_peewee.columns import among, raw
from asm_backend_peewee.database import Database
from asm_backend_peewee.hints import unindexed
from asm_core.sql import Several, SQLReader, Statement
from asm_core.sql.filters import bounds, choices
from asm_core.sql.tables import EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from asm_core.queries import EventQuery, RunQuery, SessionQuery

Condition = Any
"""An expression of Peewee's, which is of no one type."""


class PeeweeReader(SQLReader[Database]):
    """The primitives that the ports share."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._dialect = database.dialect
        self._sessions, self._runs, self._events, self._sequences, self._artifacts = database.models
        super().__init__(database)

    def _select_sessions(self, query: SessionQuery) -> Statement:
        found = narrowed(selected(self._sessions, SESSION_COLUMNS), self._session_filters(query))
        return Statement(*arranged(found, self._sessions, query).sql())

    def _select_runs(self, query: RunQuery) -> Statement:
        found = narrowed(selected(self._runs, RUN_COLUMNS), self._run_filters(query))
        return Statement(*arranged(found, self._runs, query).sql())

    def _select_events(self, query: EventQuery) -> Statement:
        found = narrowed(selected(self._events, EVENT_COLUMNS), self._filters(self._events, query))
        return Statement(*arranged(found, self._events, query).sql())

    def _select_heads(self, query: SessionQuery) -> Statement:
        sessions, sequences = self._sessions, self._sequences
        heads = sessions.select(sessions.id, fn.COALESCE(sequences.last_sequence, 0))
        found = narrowed(heads.join(sequences, JOIN.LEFT_OUTER), self._session_filters(query))
        return Statement(*found.sql())

    def _rows(self, query: Any) -> list[Any]:
        with self._database.read() as connection:
            rows: list[Any] = connection.execute(query).fetchall()
            return rows

    def _session_filters(self, query: SessionQuery) -> list[Condition]:
        sessions, runs = self._sessions, self._runs
        conditions = self._filters(sessions, query)
        if query.tags:
            conditions.append(sessions.tags.carries_all(*query.tags))
        if query.providers is not None:
            provided = self._chosen(unindexed(runs.provider, self._dialect), query.providers[0])
            conditions.append(exists(runs, runs.session == sessions.id, provided))
        if not query.include_deleted:
            conditions.append(sessions.deleted_at.is_null())
        return conditions

    def _run_filters(self, query: RunQuery) -> list[Condition]:
        of_sessions = query.session_ids is not None
        return self._filters(self._runs, query, aside=("status", "provider") if of_sessions else ())

    def _filters(self, model: Any, query: Any, *, aside: Collection[str] = ()) -> list[Condition]:
        """Return the conditions on columns of `model`; the indexes of those `aside` are not to be used."""
        columns = model._meta.columns  # noqa: SLF001  Peewee's documented way to a model's columns
        return [
            *[
                self._chosen(unindexed(columns[name], self._dialect) if name in aside else columns[name], value)
                for name, value in choices(query)
            ],
            *[compare(columns[name], value) for name, compare, value in bounds(query)],
        ]

    def _chosen(self, column: Any, choice: str) -> Condition:
        """Return the condition that `column` has the value of a query, or one of several."""
        return among(column, choice, self._dialect) if isinstance(choice, Several) else column == choice


def selected(model: Any, names: Iterable[str]) -> Any:
    """Return a query for columns as core's codec takes them."""
    columns = model._meta.columns  # noqa: SLF001  Peewee's documented way to a model's columns
    return model.select(*[raw(columns[name]) for name in names])


def narrowed(query: Any, conditions: Sequence[Condition]) -> Any:
    """Return `query` with conditions, of which there may be none."""
    # Side by side: many that Peewee would nest are too deep for SQLite's parser.
    return query.where(NodeList(conditions, glue=" AND ")) if conditions else query


def arranged(found: Any, model: Any, query: Any) -> Any:
    """Return what was found in the order of `query`, from its start on."""
    key = [model._meta.columns[field] for field in query.order.key]  # noqa: SLF001  as above
    if query.start is not None:
        found = found.where(behind(key, query.start, descending=query.order.descending))
    return found.order_by(*[column.desc() if query.order.descending else column for column in key])


def behind(key: Sequence[Any], start: Sequence[Any], *, descending: bool = False) -> Condition:
    """Return the condition that a row comes after `start` in the order of `key`."""
    place = Tuple(*[Value(column.db_value(value), converter=False) for column, value in zip(key, start, strict=True)])
    return Tuple(*key) < place if descending else Tuple(*key) > place


def allowed(column: Any, choice: Collection[Any] | None) -> Iterable[Condition]:
    """Return the condition that `column` has one of these values; nothing where there is no filter."""
    return () if choice is None else (column.in_([str(value) for value in choice]),)


def exists(model: Any, *conditions: Condition) -> Condition:
    """Return the condition that there is a row of `model` that meets conditions."""
    return fn.EXISTS(model.select(Value(1)).where(*conditions))
