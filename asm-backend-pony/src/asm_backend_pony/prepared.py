"""Prepared statements for psycopg2, which psycopg 3 has built in.

psycopg2 sends values as text inside the statement, which the server would parse and plan at each call: an append would
take half as long again.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from asm_backend_pony.connection import TableConnection

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST: Final = 100
"""The largest number of prepared statements of a connection: each takes memory of the server."""
_IDLE: Final = 0
"""The transaction states of libpq."""


class PreparingConnection(TableConnection):
    """Prepares frequent statements, outside of transactions, which a failing PREPARE would abort."""

    def __init__(self, driver: Any, threshold: int) -> None:
        """Use `driver`; prepare a statement after `threshold` uses, or never with 0."""
        super().__init__(driver)
        self._threshold = threshold
        self._uses: Counter[str] = Counter()
        self._calls: dict[str, str] = {}
        self._numbers = count()

    def _execute_on(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> Any:
        if self._threshold and parameters and self.driver.get_transaction_status() == _IDLE:
            call = self._calls.get(sql)
            if call is None and self._is_worth_it(sql):
                name = f"asm_{next(self._numbers)}"  # not the name of a statement that was prepared but not recorded
                super()._execute_on(cursor, f"PREPARE {name} AS {_numbered(sql)}", ())
                call = self._calls[sql] = f"EXECUTE {name} ({', '.join(['%s'] * len(parameters))})"
            sql = call or sql
        return super()._execute_on(cursor, sql, parameters)

    def _is_worth_it(self, sql: str) -> bool:
        if len(self._calls) >= _MOST:
            return False
        if len(self._uses) > _MOST:
            self._uses.clear()  # frequent statements are soon prepared again
        self._uses[sql] += 1
        return self._uses[sql] > self._threshold


@lru_cache(maxsize=256)
def _numbered(sql: str) -> str:
    """Return a statement with the placeholders of PREPARE."""
    numbers = count(1)
    return "%".join("".join(_with_numbers(part.split("%s"), numbers)) for part in sql.split("%%"))


def _with_numbers(parts: list[str], numbers: count[int]) -> list[str]:
    return [parts[0], *(f"${next(numbers)}{part}" for part in parts[1:])]
