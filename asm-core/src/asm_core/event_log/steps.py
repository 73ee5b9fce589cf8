"""Reads that wait for events, in steps: a thread waits between two steps, or an event loop, which takes no thread."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, ParamSpec, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from asm_core.event_log.waiting import Watcher
    from asm_core.querying.heads import Head

P = ParamSpec("P")
T = TypeVar("T")


class Pause(NamedTuple):
    """The arguments of `Watcher.wait`, for the wait between two steps."""

    session_id: str
    known: Collection[Head]
    timeout: float | None


Steps: TypeAlias = "Generator[Pause, Head | None, T]"
"""A read that waits: it yields a pause, gets the head that ended the wait, and returns its result."""

_suspends: Final = ContextVar("asm_suspends", default=False)
_MARK: Final = "__asm_may_wait__"


class Suspended(Generic[T]):
    """A read that waits, between two steps.

    Attributes:
        pause: the wait that comes next.
        watcher: the watcher to wait with.
    """

    def __init__(self, steps: Steps[T], pause: Pause, watcher: Watcher) -> None:
        """Continue `steps` after `pause`."""
        self.pause = pause
        self.watcher = watcher
        self._steps = steps

    def resume(self, head: Head | None) -> T | Suspended[T]:
        """Continue after the wait; return the result, or the same object with its next pause."""
        try:
            self.pause = self._steps.send(head)
        except StopIteration as stop:
            return cast("T", stop.value)
        return self


def carry_out(steps: Steps[T], watcher: Callable[[], Watcher]) -> T:
    """Return the result of `steps`, and wait in this thread; inside `suspending`, return `Suspended` instead."""
    try:
        pause = next(steps)
        if _suspends.get():
            return cast("T", Suspended(steps, pause, watcher()))
        while True:
            pause = steps.send(watcher().wait(*pause))
    except StopIteration as stop:
        return cast("T", stop.value)


def waits(function: Callable[P, T]) -> Callable[P, T]:
    """Mark a function whose result is that of `carry_out`, and which calls no code of the application."""
    setattr(function, _MARK, True)
    return function


def suspending(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T | Suspended[T]:
    """Call a function; if it is marked with `waits` and would wait, return `Suspended` instead."""
    if not hasattr(function, _MARK):
        return function(*args, **kwargs)
    token = _suspends.set(True)
    try:
        return function(*args, **kwargs)
    finally:
        _suspends.reset(token)
