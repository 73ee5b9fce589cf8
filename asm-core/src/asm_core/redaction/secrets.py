"""The secrets that are found in a text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from asm_core.redaction.expressions import literal
from asm_core.redaction.rules import RULES, Ending, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

ENVIRONMENT: Final = "environment"


class Secrets:
    """The known formats of secrets, and values that are secrets wherever they are.

    Attributes:
        values: these values, the longest first.
        rules: how all are found, by their place in `expression`.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values = sorted(set(values), key=len, reverse=True)
        given = [Rule(ENVIRONMENT, value, literal(value), ending=Ending.HERE) for value in self.values]
        self.rules = (*given, *RULES)
        self._reach = max(rule.whole.length for rule in self.rules)
        self._begun = re.compile("|".join(rule.whole.begun for rule in self.rules))
        self._is_one_line = not any("\n" in value for value in self.values)
        self._compiled = lru_cache(maxsize=256)(self._compile)

    def expression(self, text: str) -> re.Pattern[str] | None:
        """Return the expression that finds the secrets of a text; None if there are none.

        It has a group for each rule: ``r`` and its place, and ``k`` and its place for what is kept.
        """
        # Most texts contain no hint, which is found ten times faster than by an expression.
        folded = text.lower()
        present = tuple(
            place for place, rule in enumerate(self.rules) if rule.hint in (folded if rule.folded else text)
        )
        return self._compiled(present) if present else None

    def begun(self, text: str, start: int) -> int:
        """Return where the first secret may begin that further text completes, or the end of the text."""
        start = max(start, len(text) - self._reach)
        if self._is_one_line:
            start = max(start, text.rfind("\n") + 1)
        found = self._begun.search(text, start)
        return len(text) if found is None else found.start()

    def _compile(self, present: tuple[int, ...]) -> re.Pattern[str]:
        parts = []
        for place in present:
            rule = self.rules[place]
            kept = "" if rule.kept is None else f"(?P<k{place}>{rule.kept.full})"
            parts.append(f"(?P<r{place}>{kept}{rule.head.full})")
        return re.compile("|".join(parts))
