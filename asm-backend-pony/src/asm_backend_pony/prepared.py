"""Statements that are prepared on the server, as psycopg 3 does it by itself and psycopg2 does not.

It sends values as text within a statement, which the server would parse and plan anew at each call.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from psycopg2.extensions import connection

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST: Final = 100
"""How many statements one connection keeps prepared: each takes memory of the server's."""


class PreparingConnection(connection):  # type: ignore[misc]  # psycopg2 is not typed
    """A connection that prepares what is executed often enough.

    Attributes:
        threshold: after how many uses; 0 is never.
    """

    threshold = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Connect."""
        super().__init__(*arguments, **options)
        self._uses: Counter[str] = Counter()
        self._calls: dict[str, str] = {}
        self._numbers = count()

    def execute(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Execute a statement with values, outside a transaction; return the cursor."""
        cursor = self.cursor()
        call = self._calls.get(sql)
        if call is None and self._is_worth_it(sql):
            name = f"asm_{next(self._numbers)}"  # not again that of a statement that was prepared and not noted
            cursor.execute(f"PREPARE {name} AS {_numbered(sql)}")
            call = self._calls[sql] = f"EXECUTE {name} ({', '.join(['%s'] * len(parameters))})"
        cursor.execute(call or sql, parameters)
        return cursor

    def _is_worth_it(self, sql: str) -> bool:
        if not self.threshold or len(self._calls) >= _MOST:
            return False
        if len(self._uses) > _MOST:
            self._uses.clear()  # what is used often is soon back
        self._uses[sql] += 1
        return self._uses[sql] > self.threshold


@lru_cache(maxsize=256)
def _numbered(sql: str) -> str:
    """Return a statement with marks for its values as PREPARE takes them."""
    numbers = count(1)
    return "%".join("".join(_with_numbers(part.split("%s"), numbers)) for part in sql.split("%%"))


def _with_numbers(parts: list[str], numbers: count[int]) -> list[str]:
    return [parts[0], *(f"${next(numbers)}{part}" for part in parts[1:])]
