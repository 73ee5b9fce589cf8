"""Retries of calls that may succeed later."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from asm_core.errors import AsmError, ProviderError, ValidationError, short_repr

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_FACTOR: Final = 2.0
_LONGEST: Final = 86_400.0
"""The longest pause, in seconds: clocks cannot count any number of them."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a call is tried that raises a retryable error, and the pauses between the tries.

    The pauses grow by a factor of two. A provider that names a pause (`ProviderError.retry_after`) gets at least that,
    even if it is longer than `maximum`. No pause is longer than a day.

    Attributes:
        attempts: the largest number of tries, at least 1.
        initial: seconds of the first pause, from 0 to 86,400.
        maximum: seconds of the longest pause, from 0 to 86,400.
        jitter: the share of a pause, from 0 to 1, that is random, so that callers which failed together do not try
            again together.

    >>> RetryPolicy(attempts=3).run(lambda: "stored")
    'stored'
    """

    attempts: int = 5
    initial: float = 0.1
    maximum: float = 10.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValidationError: a field is out of range.
        """
        if type(self.attempts) is not int or self.attempts < 1:
            message = f"attempts must be an integer of at least 1, not {short_repr(self.attempts)}."
            raise ValidationError(message)
        for name, highest in (("initial", _LONGEST), ("maximum", _LONGEST), ("jitter", 1.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
                unit = "" if name == "jitter" else " of seconds"
                message = f"{name} must be a number{unit} from 0 to {highest:g}, not {short_repr(value)}."
                raise ValidationError(message)

    def pause_after(self, attempt: int, error: BaseException) -> float | None:
        """Return the seconds to wait after a failed try, counted from 1; None if the error is final.

        >>> RetryPolicy(jitter=0).pause_after(2, AsmError()) is None
        True
        """
        if not isinstance(error, AsmError) or not error.retryable or attempt >= self.attempts:
            return None
        longest = min(self.initial * _FACTOR ** min(attempt - 1, 1000), self.maximum)
        pause = longest * (1 - self.jitter * random.random())  # noqa: S311  no secret
        asked = error.retry_after if isinstance(error, ProviderError) else None
        return pause if asked is None else min(max(pause, asked), _LONGEST)

    def run(self, call: Callable[[], T]) -> T:
        """Call `call` until it returns, and return its result.

        Raises:
            Exception: the error of the last try, or the first error that is not retryable.
        """
        attempt = 1
        while True:
            try:
                return call()
            except AsmError as error:
                pause = self.pause_after(attempt, error)
                if pause is None:
                    raise
            time.sleep(pause)
            attempt += 1

    async def run_async(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await `call()` until it returns, and return its result; as `run`."""
        import asyncio  # noqa: PLC0415  programs without asyncio start faster

        attempt = 1
        while True:
            try:
                return await call()
            except AsmError as error:
                pause = self.pause_after(attempt, error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
            attempt += 1
