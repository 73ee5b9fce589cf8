"""What SQLite and PostgreSQL say differently about columns, as pieces of SQL in Pony's queries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from pony.orm import raw_sql

from asm_core.payloads import encode_json
from asm_core.sql import Dialect, Several, TagClauses, tag_clauses, tag_list
from asm_core.sql.arrays import array_literal

if TYPE_CHECKING:
    from collections.abc import Collection

    from pony.orm.ormtypes import RawSQL


class Columns(ABC):
    """The words of a dialect.

    Attributes:
        mark: what stands for a parameter in a statement.
        among: the condition that a column has one of several values, `listed` as one parameter.
        tags: core's conditions on the tags of a session.
    """

    mark: str
    among: str
    tags: TagClauses

    def of(self, alias: str, names: Collection[str]) -> RawSQL:
        """Return the columns of a table, as the codec takes them."""
        return raw_sql(", ".join(self._selected(f"{alias}.{name}") for name in names))

    @abstractmethod
    def _selected(self, column: str) -> str:
        """Return a column as the codec takes it."""

    @abstractmethod
    def listed(self, values: Collection[str]) -> str:
        """Return several values as one parameter of a statement."""

    def any_of(self, column: str, values: Collection[str]) -> RawSQL:
        """Return the condition that a column has one of several values."""
        if len(values) == 1:
            return self._equal(column, next(iter(values)))
        return self._among(column, self.listed(values))

    def chosen(self, column: str, choice: str) -> RawSQL:
        """Return the condition that a column has the value of a query, or one of several."""
        if isinstance(choice, Several):
            return self._among(column, str(choice))  # Pony knows no types that are derived
        return self._equal(column, choice)

    def _equal(self, column: str, only: str) -> RawSQL:  # noqa: ARG002  Pony finds it by its name, here and below
        # By one value, an index goes on in the order of its next columns.
        return raw_sql(f"{column} = $only")

    @abstractmethod
    def _among(self, column: str, listed: str) -> RawSQL:
        """Return the condition that a column has one of several values, which are one parameter."""

    @abstractmethod
    def several(self, values: Collection[str]) -> RawSQL:
        """Return several values to look for with `in`."""

    def tagged(self, wanted: str, count: str) -> RawSQL:  # noqa: ARG002  Pony finds them by their names
        """Return the condition that the session `s` has all tags of a list; `count` is how many that has."""
        return raw_sql(self.tags.carries_all.format(tags="s.tags", wanted="$wanted", count="$count"))

    def untagged(self, tags: Collection[str]) -> RawSQL:
        """Return the condition that the session `s` has none of these tags."""
        wanted = tag_list(list(tags))  # noqa: F841
        return raw_sql(f"NOT {self.tags.carries_any.format(tags='s.tags', wanted='$wanted')}")


class _SQLiteColumns(Columns):
    mark = "?"
    among = "IN (SELECT value FROM json_each(?))"
    tags = tag_clauses(Dialect.SQLITE)

    def _selected(self, column: str) -> str:
        return column

    def listed(self, values: Collection[str]) -> str:
        return encode_json(list(values)).decode()

    def _among(self, column: str, listed: str) -> RawSQL:  # noqa: ARG002
        return raw_sql(f"{column} IN (SELECT value FROM json_each($listed))")  # noqa: S608

    def several(self, values: Collection[str]) -> RawSQL:
        listed = self.listed(values)  # noqa: F841
        return raw_sql("SELECT value FROM json_each($listed)")


class _PostgreSQLColumns(Columns):
    mark = "%s"
    among = "= ANY(%s::text[])"
    tags = tag_clauses(Dialect.POSTGRESQL)

    def _selected(self, column: str) -> str:
        # The connection may have any time zone.
        return f"{column} AT TIME ZONE 'UTC'" if column.endswith(("_at", ".timestamp")) else column

    def listed(self, values: Collection[str]) -> str:
        return array_literal(list(values))

    def _among(self, column: str, listed: str) -> RawSQL:  # noqa: ARG002
        return raw_sql(f"{column} = ANY($(listed)::text[])")

    def several(self, values: Collection[str]) -> RawSQL:
        listed = self.listed(values)  # noqa: F841
        return raw_sql("SELECT unnest($(listed)::text[])")


SQLITE: Final[Columns] = _SQLiteColumns()
POSTGRESQL: Final[Columns] = _PostgreSQLColumns()
