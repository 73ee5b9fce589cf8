"""The redactor of an application."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import ValidationError, short_repr
from asm_core.redaction.lines import LineStream
from asm_core.redaction.rules import LEAST_SECRET, MARK, PASSWORD
from asm_core.redaction.secrets import Secrets
from asm_core.redaction.stream import TextStream
from asm_core.redaction.values import category_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERBATIM: Final = frozenset({"thinking", "redacted_thinking", "reasoning"})
"""The types of parts that a provider must get back unchanged."""
_LEAST_VALUE: Final = 4
_CATEGORY: Final = re.compile(r"[A-Za-z0-9_.-]+")


class Redactor:
    r"""Takes secrets out of JSON values and texts.

    It finds API keys and tokens of known vendors, JSON web tokens, bearer tokens, passwords in URLs, and values
    assigned to names such as ``password`` or ``api_key``. It also finds blocks of private keys, values of environment
    variables, and patterns of the caller. It cannot find a secret without a known form. Safe to share between threads.

    >>> Redactor().redact({"command": "login --password=hunter2"})
    ({'command': 'login --password=[REDACTED:password]'}, {'password': 1})
    """

    def __init__(
        self,
        *,
        patterns: Iterable[str | re.Pattern[str] | tuple[str, str | re.Pattern[str]]] = (),
        environment: Iterable[str] = (),
        replacement: str = "category",
    ) -> None:
        """Prepare the expressions.

        Args:
            patterns: regular expressions of further secrets, or pairs of a category and an expression; the category of
                others is ``custom``. Each is applied to one line after the other, of at most 8,192 characters. Their
                running time is the caller's concern.
            environment: names of environment variables whose present values are secrets. A variable that is not set, or
                whose value is shorter than four characters, is ignored.
            replacement: ``"category"`` writes ``[REDACTED:password]``, ``"plain"`` ``[REDACTED]``.

        Raises:
            ValidationError: a pattern is no regular expression, or an argument has another type.
        """
        if replacement not in {"category", "plain"}:
            message = f'replacement must be "category" or "plain", not {short_repr(replacement)}.'
            raise ValidationError(message)
        self._is_plain = replacement == "plain"
        self._patterns = [_pattern(given) for given in _listed("patterns", patterns)]
        names = [_name(given) for given in _listed("environment", environment)]
        values = (os.environ.get(name, "") for name in names)
        self._secrets = Secrets(value for value in values if len(value) >= _LEAST_VALUE)

    def redact(self, value: Any) -> tuple[Any, dict[str, int]]:
        """Return a JSON value without secrets, and the number of those that were taken out, by category.

        Keys, numbers and the shape of the value are kept; texts are changed. Under a key such as ``password``, and
        after an item such as ``--password`` of a list, the whole text is a secret. Parts of the types ``thinking``,
        ``redacted_thinking`` and ``reasoning`` are kept as they are, because a provider refuses changed ones.
        """
        counts: Counter[str] = Counter()
        return self._value(value, counts), dict(counts)

    def stream(self) -> RedactedStream:
        """Return an object that redacts one text that arrives in pieces."""
        return RedactedStream(self._secrets, self._patterns, is_plain=self._is_plain)

    def _value(self, value: Any, counts: Counter[str]) -> Any:
        if isinstance(value, str):
            return self._text(value, counts)
        if isinstance(value, dict):
            return {key: self._named(key, item, counts) for key, item in value.items()}
        if isinstance(value, list):
            return self._items(value, counts)
        return value

    def _text(self, text: str, counts: Counter[str]) -> str:
        if not text or (not self._patterns and self._secrets.expression(text) is None):
            return text
        stream = self.stream()
        redacted = stream.feed(text) + stream.end()
        counts.update(stream.counts)
        return redacted

    def _named(self, name: str, value: Any, counts: Counter[str]) -> Any:
        """Return the value of a key, or of an option."""
        category = category_of(name) if isinstance(value, str) else None
        if category is None:
            return self._value(value, counts)
        if value.startswith(MARK) or len(value) < (1 if category == PASSWORD else LEAST_SECRET):
            return value
        redacted: Counter[str] = Counter()
        if self._text(value, redacted).startswith(MARK):  # of a more exact category
            category = next(iter(redacted))
        counts[category] += 1
        return replacement(category, is_plain=self._is_plain)

    def _items(self, items: list[Any], counts: Counter[str]) -> list[Any]:
        done = []
        before: Any = None
        for item in items:
            if isinstance(item, dict) and item.get("type") in VERBATIM:
                done.append(item)
            elif isinstance(before, str) and before.startswith("-") and isinstance(item, str) and "=" not in before:
                done.append(self._named(before, item, counts))
            else:
                done.append(self._value(item, counts))
            before = item
        return done


class RedactedStream:
    """Redacts one text that arrives in pieces. How it is cut does not change the result.

    Attributes:
        counts: the number of secrets that were taken out so far, by category.
    """

    def __init__(self, secrets: Secrets, patterns: list[tuple[str, re.Pattern[str]]], *, is_plain: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._is_plain = is_plain
        self._known = TextStream(secrets, self._take)
        self._lines = LineStream(patterns, self._take) if patterns else None

    def feed(self, text: str) -> str:
        """Return what is certain so far of the redacted text; the rest is held back."""
        done = self._known.feed(text)
        return done if self._lines is None else self._lines.feed(done)

    def end(self) -> str:
        """Return the rest, at the end of the text. A new text may follow."""
        done = self._known.end()
        return done if self._lines is None else self._lines.feed(done) + self._lines.end()

    def taken(self) -> dict[str, int]:
        """Return the counts since the last call."""
        counts = dict(self.counts)
        self.counts.clear()
        return counts

    def _take(self, category: str) -> str:
        self.counts[category] += 1
        return replacement(category, is_plain=self._is_plain)


def replacement(category: str, *, is_plain: bool) -> str:
    """Return the text that replaces a secret."""
    return f"{MARK}]" if is_plain else f"{MARK}:{category}]"


def sum_of(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of two counts."""
    return {name: counts.get(name, 0) + more.get(name, 0) for name in (*counts, *(set(more) - set(counts)))}


def _listed(field: str, values: Iterable[Any]) -> list[Any]:
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        message = f"{field} must be a list, not {short_repr(values)}."
        raise ValidationError(message)
    return list(values)


def _name(given: object) -> str:
    if not isinstance(given, str) or not given or "=" in given or "\0" in given:
        message = f"environment must list names of variables, not {short_repr(given)}."
        raise ValidationError(message)
    return given


def _pattern(given: object) -> tuple[str, re.Pattern[str]]:
    category, pattern = given if isinstance(given, (tuple, list)) and len(given) == 2 else ("custom", given)  # noqa: PLR2004
    if not isinstance(category, str) or not _CATEGORY.fullmatch(category):
        message = f"The category of a pattern must consist of letters, digits, _, . and -, not {short_repr(category)}."
        raise ValidationError(message)
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        return category, pattern
    if not isinstance(pattern, str):
        message = f"A pattern must be a regular expression as text, not {short_repr(pattern)}."
        raise ValidationError(message)
    try:
        return category, re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"The pattern {short_repr(pattern)} is no regular expression: {error}."
        raise ValidationError(message) from error
