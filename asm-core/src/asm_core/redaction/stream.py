"""Redaction of a text that arrives in pieces."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from asm_core.redaction import values
from asm_core.redaction.rules import AUTHORIZATION, BLOCK_END, BLOCK_END_LENGTH, Ending
from asm_core.redaction.secrets import ENVIRONMENT, Secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    Take = Callable[[str], str]

_CONTEXT: Final = 8
"""Characters before the text that lookbehinds may read."""

_run: Final = cache(lambda characters: re.compile(f"{characters}*"))


class TextStream:
    """Redacts one text that arrives in pieces. How it is cut does not change the result.

    What may be the beginning of a secret is held back, at most some thousand characters. Once it is certain, its
    replacement is returned, and the rest of the secret is dropped as it arrives.
    """

    def __init__(self, secrets: Secrets, take: Take) -> None:
        """Find `secrets`. `take` counts a secret by its category, and returns the replacement."""
        self._secrets = secrets
        self._take = take
        self._reset()

    def _reset(self) -> None:
        self._text = ""
        self._at = 0
        self._is_last = False
        self._state: Callable[[], str | None] = self._search
        self._category = ""
        self._rest = values.BARE
        self._begun = -1
        self._expression: re.Pattern[str] | None = None

    def feed(self, text: str) -> str:
        """Return what is certain so far of the redacted text."""
        self._text += text
        return self._advance()

    def end(self) -> str:
        """Return the rest, at the end of the text. A new text may follow."""
        self._is_last = True
        rest = self._advance()
        self._reset()
        return rest

    def _advance(self) -> str:
        self._expression = self._secrets.expression(self._text)
        self._begun = -1
        parts = []
        while (part := self._state()) is not None:
            parts.append(part)
        cut = max(0, self._at - _CONTEXT)
        self._text, self._at = self._text[cut:], self._at - cut
        return "".join(parts)

    # -- states: each returns the text that it lets through, or None if it needs more -------------------------------

    def _search(self) -> str | None:
        """Let everything through up to the next secret."""
        text, start = self._text, self._at
        if self._begun < start:
            self._begun = len(text) if self._is_last else self._secrets.begun(text, start)
        found = None if self._expression is None else self._expression.search(text, start)
        if found is None or found.start() > self._begun or (found.start() == self._begun and not self._is_last):
            self._at = self._begun
            return text[start : self._begun] or None
        return text[start : found.start()] + self._found(found)

    def _found(self, found: re.Match[str]) -> str:
        place = int(str(found.lastgroup)[1:])
        rule = self._secrets.rules[place]
        self._at = found.end()
        self._category = rule.category
        if rule.ending is Ending.VALUE:
            self._state = self._separators
            return found[0]
        if rule.ending is Ending.BLOCK:
            self._state = self._block
        elif rule.ending is Ending.RUN:
            self._state, self._rest = self._drop, _run(rule.characters)
        return (found[f"k{place}"] if rule.kept else "") + self._take(rule.category)

    def _drop(self) -> str | None:
        """Drop the rest of a secret."""
        self._at = self._rest.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing too
        left = len(self._text) - self._at
        if not self._is_last and (not left or (left == 1 and self._text[-1] == "\\")):
            return None
        self._state = self._search
        return ""

    def _block(self) -> str | None:
        """Drop a key block, up to its last line."""
        end = BLOCK_END.search(self._text, self._at)
        if end is None:
            self._at = len(self._text) if self._is_last else max(self._at, len(self._text) - BLOCK_END_LENGTH)
            return None
        self._at, self._state, self._rest = end.end(), self._drop, _run("-")
        return ""

    def _separators(self) -> str | None:
        """Let what stands before a value through at once: a prompt may wait for it."""
        start = self._at
        self._at = values.SEPARATORS.match(self._text, start).end()  # type: ignore[union-attr]  # it matches nothing too
        if self._at == len(self._text):
            return self._text[start:] or None
        self._state = self._opening
        return self._text[start : self._at]

    def _opening(self) -> str | None:
        """Let the quote of a value through."""
        quote = values.quote_at(self._text, self._at, is_last=self._is_last)
        if quote is None:
            return None
        start, self._at, self._rest = self._at, quote.end, quote.rest
        self._state = self._scheme if self._category == AUTHORIZATION else self._value
        return self._text[start : self._at]

    def _scheme(self) -> str | None:
        """Let the scheme of an authorization through."""
        start = self._at
        scheme = values.SCHEME.match(self._text, start)
        if not self._is_last and (start == len(self._text) or values.SCHEME_BEGUN.match(self._text, start)):
            return None
        self._at = start if scheme is None else scheme.end()
        self._state = self._value
        return self._text[start : self._at]

    def _value(self) -> str | None:
        """Replace a value, if it is a secret."""
        start = self._at
        for value in self._secrets.values:
            if self._text.startswith(value, start):
                self._at, self._state = start + len(value), self._search
                return self._take(ENVIRONMENT)
            if not self._is_last and value.startswith(self._text[start : start + len(value)]):
                return None
        secret = values.is_secret(self._text, start, self._rest, self._category, is_last=self._is_last)
        if secret is None:
            return None
        if not secret:
            self._state = self._search
            return ""
        self._state = self._drop
        return self._take(self._category)
