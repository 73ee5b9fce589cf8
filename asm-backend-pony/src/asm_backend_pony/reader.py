"""Conditions on columns, in Pony's words.

Each query calls its entity by one letter: `s` sessions, `r` runs, `e` events, `q` the counters, `a` artifacts.

Pony tells parameters apart by their name, the code in which they stand, and the place of that filter among others. So
`_any_of` must not filter a query inside another one that it filters too: Pony would mix them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pony.orm import raw_sql

from asm_core.sql import SQLReader

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pony.orm.core import Query

    from asm_backend_pony.database import Database


class PonyReader(SQLReader["Database"]):
    """The primitives that three ports share."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._columns = database.columns
        self._models = database.models
        super().__init__(database)

    def _any_of(self, found: Query, column: str, values: Collection[str]) -> Query:
        """Let pass those with one of `values` in a column."""
        return found.where(self._columns.any_of(column, values))

    def _ordered(self, alias: str, found: Query, key: Sequence[str], start: Sequence[Any] | None) -> Query:
        """Put what is found in the order of a key, from behind `start` on."""
        columns = ", ".join(f"{alias}.{name}" for name in key)
        if start is not None:
            behind = [self._codec.encode(value) for value in start]
            marks = ", ".join(f"$(behind[{place}])" for place in range(len(behind)))
            found = found.where(raw_sql(f"({columns}) > ({marks})"))
        return found.order_by(raw_sql(columns))
