"""What SQLite and PostgreSQL say differently about columns, as pieces of SQL in Pony's queries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from pony.orm import raw_sql

from asm_core.payloads import encode_json
from asm_core.sql import Dialect, TagClauses, tag_clauses, tag_list
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

    @abstractmethod
    def listed(self, values: Collection[str]) -> str:
        """Return several values as one parameter of a statement."""

    def any_of(self, column: str, values: Collection[str]) -> RawSQL:
        """Return the condition that a column has one of several values."""
        if len(values) == 1:
            return self._equal(column, next(iter(values)))
        return self._among(column, self.listed(values))

    def _equal(self, column: str, only: str) -> RawSQL:  # noqa: ARG002  Pony finds it by its name, here and below
        # By one value, an index goes on in the order of its next columns.
        return raw_sql(f"{column} = $only")

    @abstractmethod
    def _among(self, column: str, listed: str) -> RawSQL:
        """Return the condition that a column has one of several values, which are one parameter."""

    @abstractmethod
    def several(self, values: Collection[str]) -> RawSQL:
        """Return several values to look for with `in`."""

    def untagged(self, tags: Collection[str]) -> RawSQL:
        """Return the condition that the session `s` has none of these tags."""
        wanted = tag_list(list(tags))  # noqa: F841
        return raw_sql(f"NOT {self.tags.carries_any.format(tags='s.tags', wanted='$wanted')}")


class _SQLiteColumns(Columns):
    mark = "?"
    among = "IN (SELECT value FROM json_each(?))"
    tags = tag_clauses(Dialect.SQLITE)

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

    def listed(self, values: Collection[str]) -> str:
        return array_literal(list(values))

    def _among(self, column: str, listed: str) -> RawSQL:  # noqa: ARG002
        return raw_sql(f"{column} = ANY($(listed)::text[])")

    def several(self, values: Collection[str]) -> RawSQL:
        listed = self.listed(values)  # noqa: F841
        return raw_sql("SELECT unnest($(listed)::text[])")


SQLITE: Final[Columns] = _SQLiteColumns()
POSTGRESQL: Final[Columns] = _PostgreSQLColumns()
