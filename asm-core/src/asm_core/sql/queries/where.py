"""The conditions of one statement, and its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from asm_core.sql.queries.tags import tag_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asm_core.querying.queries import Order
    from asm_core.sql.queries.words import Words

_FAR: Final = (1 << 62) - 1
"""More rows than any table has: SQLite accepts no offset without a limit."""


class Statement(NamedTuple):
    """A statement: text in the driver's parameter style, and its positional parameters."""

    sql: str
    parameters: Sequence[Any]


class Where:
    """Collects conditions, and parameters in the order of their placeholders."""

    __slots__ = ("_conditions", "_words", "parameters")

    def __init__(self, words: Words) -> None:
        """Start without conditions."""
        self._words = words
        self._conditions: list[str] = []
        self.parameters: list[Any] = []

    def add(self, condition: str, *parameters: Any) -> None:
        """Add a condition with these encoded parameters."""
        self._conditions.append(condition)
        self.parameters += parameters

    def one_of(self, column: str, values: Sequence[str] | None) -> None:
        """Require one of these values in a column; None is no condition."""
        if values is not None:
            self.add(*self.chosen(column, values))

    def chosen(self, column: str, values: Sequence[str]) -> tuple[str, str]:
        """Return the condition of `one_of`, and its parameter."""
        if len(values) == 1:
            return f"{column} = {self._words.mark}", str(values[0])
        return f"{column} {self._words.one_of}", self._words.codec.encode_several(list(map(str, values)))

    def compare(self, column_and_sign: str, value: object) -> None:
        """Require a comparison of a column with a value; None is no condition."""
        if value is not None:
            self.add(f"{column_and_sign} {self._words.mark}", self._words.codec.encode(value))

    def tagged(self, column: str, tags: Sequence[str]) -> None:
        """Require all of these tags in a column; without tags, no condition."""
        if tags:
            carried = self._words.tags.carries_all.format(tags=column, wanted=self._words.mark, count=len(tags))
            self.add(carried, tag_list(tags))

    def worded(self, column: str, words: Sequence[str]) -> None:
        """Require all of these casefolded words in the JSON text of a column, or a character that is not ASCII.

        A database folds only ASCII as Python does: whether another text has the words is left to the caller.
        """
        beyond = self._words.beyond_ascii.format(column=column)
        if all(map(str.isascii, words)):
            carried = " AND ".join([self._words.contains_folded.format(column=column)] * len(words))
            self.add(f"({carried} OR {beyond})", *words)
        else:
            self.add(beyond)

    def either(self, *choices: Where) -> None:
        """Require all conditions of one of these."""
        self._conditions.append(f"({' OR '.join(f'({choice.conditions})' for choice in choices)})")
        self.parameters += [parameter for choice in choices for parameter in choice.parameters]

    @property
    def conditions(self) -> str:
        """All conditions, joined by AND."""
        return " AND ".join(self._conditions)

    def after(self, alias: str, order: Order, start: Iterable[Any] | None) -> None:
        """Require a position after `start` in an order; None is no condition."""
        if start is not None:
            encode = self._words.codec.encode
            key = ", ".join(f"{alias}.{field}" for field in order.key)
            marks = ", ".join([self._words.mark] * len(order.key))
            self.add(f"({key}) {'<' if order.descending else '>'} ({marks})", *map(encode, start))

    def __str__(self) -> str:
        """Return the clause."""
        return f"WHERE {self.conditions}" if self._conditions else ""

    def statement(self, sql: str) -> Statement:
        """Return a statement with the clause."""
        return Statement(sql, self.parameters)


def order_by(alias: str, order: Order) -> str:
    """Return the clause that sorts the rows."""
    direction = " DESC" if order.descending else ""
    return f"ORDER BY {', '.join(f'{alias}.{field}{direction}' for field in order.key)}"


def limit(most: int | None, offset: int = 0) -> str:
    """Return the LIMIT clause, with literal numbers, so that the query plan considers them."""
    if most is None and not offset:
        return ""
    return f"LIMIT {_FAR if most is None else most}{f' OFFSET {offset}' if offset else ''}"
