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

_GATES: Final = ("key", "pass", "_", "-", ".", ":")
"""Short texts, in lower case, that many hints contain: without one in a text, none of its hints is searched for."""


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
        self._gated = self._by_gate()
        self._compiled = lru_cache(maxsize=256)(self._compile)

    def expression(self, text: str) -> re.Pattern[str] | None:
        """Return the expression that finds the secrets of a text; None if there are none.

        It has a group for each rule: ``r`` and its place, and ``k`` and its place for what is kept.
        """
        # Most texts contain no hint, which is found ten times faster than by an expression.
        folded = text.lower()
        present = [
            place
            for gate, hints in self._gated
            if gate in folded
            for place, hint, is_folded in hints
            if hint in (folded if is_folded else text)
        ]
        return self._compiled(tuple(sorted(present))) if present else None

    def _by_gate(self) -> list[tuple[str, list[tuple[int, str, bool]]]]:
        """Return the hints by the first gate that they contain; values of variables, and others, have none."""
        found: dict[str, list[tuple[int, str, bool]]] = {gate: [] for gate in ("", *_GATES)}
        for place, rule in enumerate(self.rules):
            hint = "" if rule.category == ENVIRONMENT else rule.hint.lower()
            gate = next((gate for gate in _GATES if gate in hint), "")
            found[gate].append((place, rule.hint, rule.folded))
        return list(found.items())

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
