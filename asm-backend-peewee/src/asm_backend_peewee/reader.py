"""Conditions on columns, in Peewee's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import SQL, NodeList, Tuple, Value, fn

from asm_backend_peewee.database import Database
from asm_core.sql import SQLReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

Condition = Any
"""An expression of Peewee's, which is of no one type."""
COUNT = fn.COUNT(SQL("*"))


class PeeweeReader(SQLReader[Database]):
    """The primitives that the ports share."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._sessions, self._runs, self._events, self._sequences, self._artifacts = database.models
        super().__init__(database)

    def _rows(self, query: Any) -> list[Any]:
        with self._database.read() as connection:
            rows: list[Any] = connection.execute(query).fetchall()
            return rows


def narrowed(query: Any, conditions: Sequence[Condition]) -> Any:
    """Return `query` with conditions, of which there may be none."""
    # Side by side: many that Peewee would nest are too deep for SQLite's parser.
    return query.where(NodeList(conditions, glue=" AND ")) if conditions else query


def behind(key: Sequence[Any], start: Sequence[Any]) -> Condition:
    """Return the condition that a row comes after `start` in the order of `key`."""
    place = [Value(column.db_value(value), converter=False) for column, value in zip(key, start, strict=True)]
    return Tuple(*key) > Tuple(*place)


def allowed(column: Any, choice: Collection[Any] | None) -> Iterable[Condition]:
    """Return the condition that `column` has one of these values; nothing where there is no filter."""
    return () if choice is None else (column.in_([str(value) for value in choice]),)


def exists(model: Any, *conditions: Condition) -> Condition:
    """Return the condition that there is a row of `model` that meets conditions."""
    return fn.EXISTS(model.select(Value(1)).where(*conditions))
