"""Trimming of a conversation to a size."""

from __future__ import annotations

import math
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asm_core.conversation.messages import Message

_BYTES_PER_TOKEN: Final = 4
_OVERHEAD: Final = 4
"""An estimate: English text has four characters per token, and each message a few tokens of its own."""


def estimated_tokens(message: Message) -> int:
    """Return an estimate of the tokens of a message, with its calls of tools or its result of one."""
    return _OVERHEAD + math.ceil(len(encode_json(message.content)) / _BYTES_PER_TOKEN)


def trimmed(
    messages: Sequence[Message],
    *,
    max_messages: int | None,
    max_tokens: int | None,
    count_tokens: Callable[[Message], int],
) -> list[Message]:
    """Return the newest messages within the limits, after the system messages at the beginning.

    A call of a tool is kept or dropped together with its results.
    """
    if max_messages is None and max_tokens is None:
        return list(messages)
    system = list(takewhile(lambda message: message.role == "system", messages))
    left = _Left(max_messages, max_tokens, count_tokens)
    kept: list[list[Message]] = []
    if not left.take(system):
        system = []
    for group in reversed(_groups(messages[len(system) :] if system else messages)):
        if not left.take(group):
            break
        kept.append(group)
    return [*system, *(message for group in reversed(kept) for message in group)]


class _Left:
    """What is left of the limits."""

    def __init__(
        self, max_messages: int | None, max_tokens: int | None, count_tokens: Callable[[Message], int]
    ) -> None:
        self._messages = math.inf if max_messages is None else max_messages
        self._tokens = math.inf if max_tokens is None else max_tokens
        self._count = count_tokens if max_tokens is not None else lambda _: 0

    def take(self, group: list[Message]) -> bool:
        """Count a group of messages; return False, and count nothing, if it does not fit."""
        tokens = sum(map(self._count, group))
        if len(group) > self._messages or tokens > self._tokens:
            return False
        self._messages -= len(group)
        self._tokens -= tokens
        return True


def _groups(messages: Sequence[Message]) -> list[list[Message]]:
    """Divide messages where they may be divided: a result of a tool stays with the message before it."""
    groups: list[list[Message]] = []
    for message in messages:
        if message.role == "tool" and groups:
            groups[-1].append(message)
        else:
            groups.append([message])
    return groups
