"""Reading sessions, runs and events: neutral queries in Peewee's words, rows to models through core's codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import JOIN, NodeList, Tuple, Value, fn

from asm_backend_peewee.columns import raw
from asm_backend_peewee.hints import unindexed
from asm_core.ports import Reader
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
        conditions = [
            *allowed(sessions.id, query.ids),
            *allowed(sessions.agent_id, query.agent_ids),
            *allowed(sessions.status, query.statuses),
            *[sessions.tags.carries(tag) for tag in query.tags],
        ]
        if query.providers is not None:
            provider = unindexed(runs.provider, self._dialect)
            conditions.append(exists(runs, runs.session == sessions.id, provider.in_(list(query.providers))))
        if query.created_after is not None:
            conditions.append(sessions.created_at > query.created_after)
        if query.created_before is not None:
            conditions.append(sessions.created_at < query.created_before)
        if not query.include_deleted:
            conditions.append(sessions.deleted_at.is_null())
        return conditions

    def _run_filters(self, query: RunQuery) -> list[Condition]:
        runs = self._runs
        status, provider = runs.status, runs.provider
        if query.session_ids is not None:
            status, provider = unindexed(status, self._dialect), unindexed(provider, self._dialect)
        conditions = [
            *allowed(runs.session, query.session_ids),
            *allowed(status, query.statuses),
            *allowed(provider, query.providers),
        ]
        if query.started_after is not None:
            conditions.append(runs.started_at > query.started_after)
        if query.started_before is not None:
            conditions.append(runs.started_at < query.started_before)
        if query.min_tokens is not None:
            conditions.append(runs.total_tokens >= query.min_tokens)
        return conditions

    def _event_filters(self, query: EventQuery) -> list[Condition]:
        events = self._events
        conditions = [
            *allowed(events.id, query.ids),
            *allowed(events.session_id, query.session_ids),
            *allowed(events.run_id, query.run_ids),
            *allowed(events.type, query.types),
            *allowed(events.provider, query.providers),
            *allowed(events.correlation_id, query.correlation_ids),
        ]
        if query.since is not None:
            conditions.append(events.timestamp >= query.since)
        if query.until is not None:
            conditions.append(events.timestamp < query.until)
        if query.after is not None:
            conditions.append(events.sequence_number > query.after)
        if query.before is not None:
            conditions.append(events.sequence_number < query.before)
        return conditions


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


def allowed(column: Any, choice: Collection[Any] | None) -> Iterable[Condition]:
    """Return the condition that `column` has one of these values; nothing where there is no filter."""
    if choice is None:
        return ()
    values = [str(value) for value in choice]
    return (column == values[0],) if len(values) == 1 else (column.in_(values),)


def exists(model: Any, *conditions: Condition) -> Condition:
    """Return the condition that there is a row of `model` that meets conditions."""
    return fn.EXISTS(model.select(Value(1)).where(*conditions))
