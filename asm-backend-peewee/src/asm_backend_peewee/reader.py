"""Reading sessions, runs and events: neutral queries in Peewee's words, rows to models through core's codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import JOIN, NodeList, Tuple, Value, fn

from asm_backend_peewee.columns import raw
from asm_backend_peewee.hints import unindexed
from asm_core.ports import Reader
from asm_core.sql.filters import bounds, choices
from asm_core.sql.tables import EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from asm_backend_peewee.database import Database
    from asm_core import Event, Run, Session
    from asm_core.queries import EventQuery, RunQuery, SessionQuery

Condition = Any
"""An expression of Peewee's, which is of no one type."""


class PeeweeReader(Reader):
    """The primitives that the ports share."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database
        self._codec = database.codec
        self._dialect = database.dialect
        self._sessions, self._runs, self._events, self._sequences, self._artifacts = database.models

    def _rows(self, query: Any) -> list[Any]:
        with self._database.read() as connection:
            rows: list[Any] = connection.execute(query).fetchall()
            return rows

    def _load_session(self, session_id: str) -> Session | None:
        rows = self._rows(selected(self._sessions, SESSION_COLUMNS).where(self._sessions.id == session_id))
        return self._codec.session(rows[0]) if rows else None

    def _load_run(self, run_id: str) -> Run | None:
        rows = self._rows(selected(self._runs, RUN_COLUMNS).where(self._runs.id == run_id))
        return self._codec.run(rows[0]) if rows else None

    def _find_sessions(self, query: SessionQuery) -> list[Session]:
        found = narrowed(selected(self._sessions, SESSION_COLUMNS), self._session_filters(query))
        return [self._codec.session(row) for row in self._rows(arranged(found, self._sessions, query))]

    def _find_runs(self, query: RunQuery) -> list[Run]:
        found = narrowed(selected(self._runs, RUN_COLUMNS), self._run_filters(query))
        return [self._codec.run(row) for row in self._rows(arranged(found, self._runs, query))]

    def _find_events(self, query: EventQuery) -> list[Event]:
        found = narrowed(selected(self._events, EVENT_COLUMNS), self._event_filters(query))
        return [self._codec.event(row) for row in self._rows(arranged(found, self._events, query))]

    def _latest_sequences(self, session_ids: Collection[str]) -> dict[str, int]:
        sessions, sequences = self._sessions, self._sequences
        query = (
            sessions.select(sessions.id, fn.COALESCE(sequences.last_sequence, 0))
            .join(sequences, JOIN.LEFT_OUTER)
            .where(sessions.id.in_(list(session_ids)))
        )
        return dict(self._rows(query))

    def _session_filters(self, query: SessionQuery) -> list[Condition]:
        sessions, runs = self._sessions, self._runs
        conditions = [*filters(sessions, query), *[sessions.tags.carries(tag) for tag in query.tags]]
        if query.providers is not None:
            provider = unindexed(runs.provider, self._dialect)
            conditions.append(exists(runs, runs.session == sessions.id, provider.in_(list(query.providers))))
        if not query.include_deleted:
            conditions.append(sessions.deleted_at.is_null())
        return conditions

    def _run_filters(self, query: RunQuery) -> list[Condition]:
        of_sessions = query.session_ids is not None
        return filters(self._runs, query, aside=("status", "provider") if of_sessions else (), dialect=self._dialect)

    def _event_filters(self, query: EventQuery) -> list[Condition]:
        return filters(self._events, query)


def filters(model: Any, query: Any, *, aside: Collection[str] = (), dialect: Any = None) -> list[Condition]:
    """Return the conditions on columns of `model`; the indexes of those `aside` are not to be used."""
    columns = model._meta.columns  # noqa: SLF001  Peewee's documented way to a model's columns
    return [
        *[
            one_of(unindexed(columns[name], dialect) if name in aside else columns[name], chosen)
            for name, chosen in choices(query)
        ],
        *[compare(columns[name], value) for name, compare, value in bounds(query)],
    ]


def selected(model: Any, names: Iterable[str]) -> Any:
    """Return a query for columns as core's codec takes them."""
    columns = model._meta.columns  # noqa: SLF001  Peewee's documented way to a model's columns
    return model.select(*[raw(columns[name]) for name in names])


def narrowed(query: Any, conditions: Sequence[Condition]) -> Any:
    """Return `query` with conditions, of which there may be none."""
    # Side by side: many that Peewee would nest are too deep for SQLite's parser.
    return query.where(NodeList(conditions, glue=" AND ")) if conditions else query


def arranged(found: Any, model: Any, query: Any) -> Any:
    """Return what was found in the order of `query`, from its start on, no longer than its limit."""
    key = [model._meta.columns[field] for field in query.order.key]  # noqa: SLF001  as above
    if query.start is not None:
        found = found.where(behind(key, query.start, descending=query.order.descending))
    found = found.order_by(*[column.desc() if query.order.descending else column for column in key])
    offset = getattr(query, "offset", 0)
    if query.limit is not None:
        # SQLite takes 64 bits; no table has more rows than that.
        found = found.limit(min(query.limit, (1 << 63) - 1))
    return found.offset(offset) if offset else found


def behind(key: Sequence[Any], start: Sequence[Any], *, descending: bool = False) -> Condition:
    """Return the condition that a row comes after `start` in the order of `key`."""
    place = Tuple(*[Value(column.db_value(value), converter=False) for column, value in zip(key, start, strict=True)])
    return Tuple(*key) < place if descending else Tuple(*key) > place


def one_of(column: Any, values: Sequence[str]) -> Condition:
    """Return the condition that `column` has one of these values."""
    return column == values[0] if len(values) == 1 else column.in_(values)


def allowed(column: Any, choice: Collection[Any] | None) -> Iterable[Condition]:
    """Return the condition that `column` has one of these values; nothing where there is no filter."""
    return () if choice is None else (one_of(column, [str(value) for value in choice]),)


def exists(model: Any, *conditions: Condition) -> Condition:
    """Return the condition that there is a row of `model` that meets conditions."""
    return fn.EXISTS(model.select(Value(1)).where(*conditions))
