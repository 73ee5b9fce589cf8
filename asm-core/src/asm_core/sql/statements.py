"""Statements that an ORM says once for each shape of a question, and that then serve with any values.

To say a query in an ORM's words takes several times as long as the database takes to answer it. Two questions have one
shape if they use the same filters and the same order: their statements differ in nothing but parameters. So an ORM is
asked with a query that has marks in the place of its values, and core remembers which parameter is which mark.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from asm_core.sql.tags import tag_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asm_core.queries import EventQuery, RunQuery, SessionQuery, UsageQuery
    from asm_core.sql.codec import Codec

    Query = SessionQuery | RunQuery | EventQuery | UsageQuery

Q = TypeVar("Q", bound="Query")

_KEPT: Final = 512
"""How many shapes of one kind of question are remembered."""
_APART: Final = {"limit": None, "offset": 0}
_VALUELESS: Final = frozenset({"order", "include_deleted", *_APART})
_MARK: Final = "\0"
"""No text that a database keeps in a column to filter by, and none of an ORM's own, holds a NUL."""
_NAMED: Final = re.compile(r"%\((\w+)\)s")
_FAR: Final = (1 << 63) - 1
"""More rows than any table has; SQLite knows no offset without a limit."""


class Several(str):
    """A mark for several values in the place of one parameter: JSON text on SQLite, an array on PostgreSQL."""

    __slots__ = ()


class Statement(NamedTuple):
    """What to execute.

    Attributes:
        sql: as the driver takes it, with its own marks for parameters.
        parameters: by position; or by name, where the ORM says them so.
    """

    sql: str
    parameters: Sequence[Any] | Mapping[str, Any]


class Statements(Generic[Q]):
    """The statements for one kind of question."""

    def __init__(self, codec: Codec, select: Callable[[Q], Statement]) -> None:
        """Ask `select` for the statement of each new shape.

        Args:
            codec: what columns hold for the values of a query.
            select: puts a query into the words of an ORM. The query has no limit and no offset, and strings for values,
                which must come back among the parameters as they are.
        """
        self._codec = codec
        self._template = lru_cache(_KEPT)(lambda shape: _template(select(shape)))

    def of(self, query: Q) -> Statement:
        """Return the statement for a query."""
        shape, values = _marked(query, self._codec)
        sql, places = self._template(shape)
        parameters = [values[part] if type(part) is _Place else part for part in places]
        limit, offset = getattr(query, "limit", None), getattr(query, "offset", 0)
        if limit is not None or offset:
            # As numbers, so that the database plans for as many rows.
            sql = f"{sql}\nLIMIT {_FAR if limit is None else limit}"
            sql += f" OFFSET {offset}" if offset else ""
        return Statement(sql, parameters)


class _Place(int):
    """Which of the values stands at the place of a parameter."""

    __slots__ = ()


def _marked(query: Q, codec: Codec) -> tuple[Q, list[Any]]:
    """Return a query with marks for its values, and what columns hold for the values, in the order of the marks."""
    marked: dict[str, Any] = {field: none for field, none in _APART.items() if hasattr(query, field)}
    values: list[Any] = []

    def mark(value: object) -> str:
        values.append(value)
        return f"{_MARK}{len(values) - 1}"

    for field in query.__struct_fields__:
        value = getattr(query, field)
        if value is None or value == () or field in _VALUELESS:
            continue
        if field == "start":
            marked[field] = tuple([mark(codec.encode(part)) for part in value])
        elif field == "tags":
            # What `tag_clauses` takes: the list, and how many they are.
            marked[field] = mark(tag_list(value)), mark(len(value))
        elif type(value) is not tuple:
            marked[field] = mark(codec.encode(value))
        elif len(value) == 1:
            marked[field] = (mark(str(value[0])),)
        else:
            # Of another text than a mark for one, as strings of any type are equal by that.
            marked[field] = (Several(_MARK + mark(codec.encode_several(list(map(str, value))))),)
    return msgspec.structs.replace(query, **marked), values


def _template(statement: Statement) -> tuple[str, list[Any]]:
    """Return SQL with parameters by position, and of each of them its value or which mark it is."""
    sql, parameters = statement
    if isinstance(parameters, Mapping):
        names: list[str] = _NAMED.findall(sql)
        sql, parameters = _NAMED.sub("%s", sql), [parameters[name] for name in names]
    is_mark = [isinstance(part, str) and part.startswith(_MARK) for part in parameters]
    return sql, [
        _Place(part.lstrip(_MARK)) if marked else part for part, marked in zip(parameters, is_mark, strict=True)
    ]
