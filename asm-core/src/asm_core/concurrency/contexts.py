"""Context managers whose exit an interruption cannot skip, and locking with a record of it in one step.

CPython calls signal handlers between bytecodes: at the start of a function, after a call, and at the repetition of a
loop. So an exception from a handler can end ``__exit__`` before its first line, and an ``acquire`` can succeed without
its result being stored. A call of a C function is one step, including the functions that it calls.
"""

from __future__ import annotations

from functools import partial, wraps
from itertools import starmap
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")


def take(held: list[T], call: Callable[..., T], *arguments: Any) -> None:
    """Append the result of `call` to `held`, unless it is false, in one step.

    `call` must be written in C. With ``lock.acquire`` an interruption leaves the lock free or `held` true.

    >>> import threading
    >>> held, lock = [], threading.Lock()
    >>> take(held, lock.acquire, True, 0.5)
    >>> held, lock.locked()
    ([True], True)
    """
    held.extend(filter(None, starmap(call, (arguments,))))


def contextmanager(function: Callable[P, Iterator[T]]) -> Callable[P, AbstractContextManager[T]]:
    """Work like `contextlib.contextmanager`, but end the generator even if an interruption skips the exit.

    `contextlib` leaves the generator suspended, with its resources, while the exception's traceback is referenced; for
    example, while the caller handles the exception.

    >>> @contextmanager
    ... def lend(thing):
    ...     try:
    ...         yield thing
    ...     finally:
    ...         print("back")
    >>> with lend("book") as found:
    ...     print(found)
    book
    back
    """

    @wraps(function)
    def manager(*args: P.args, **kwargs: P.kwargs) -> Any:
        return _Context(function(*args, **kwargs))

    return manager


class _Exit:
    """Gives the ``with`` statement a function that only its frame references, and detects when it is freed.

    The frame frees it when the statement ends in any way, even if a traceback still references the frame.
    """

    def __get__(self, context: _Context[Any] | None, _owner: type) -> Callable[..., bool]:
        if context is None:
            return _leave  # contextlib.ExitStack
        leave = partial(_leave, context)
        context.watch = ref(leave, context.abandon)
        return leave


class _Context(Generic[T]):
    __slots__ = ("__weakref__", "generator", "watch")

    watch: Any

    def __init__(self, generator: Iterator[T]) -> None:
        self.generator: Any = generator

    def __enter__(self) -> T:
        try:
            found: T = next(self.generator)
        except StopIteration:
            message = "the context manager did not yield"
            raise RuntimeError(message) from None
        return found

    __exit__ = _Exit()

    def abandon(self, _leave: object = None) -> None:
        """End the generator as after an interruption; if it has ended, this is a no-op."""
        self.watch = None
        self.generator.close()


def _leave(context: _Context[Any], _kind: object, error: BaseException | None, trace: TracebackType | None) -> bool:
    """End the generator; return whether it has handled `error`."""
    generator = context.generator
    try:
        if error is None:
            next(generator)
        else:
            generator.throw(error)
    except StopIteration as stop:
        context.watch = None
        return error is not None and stop is not error
    except BaseException as raised:
        context.watch = None
        # PEP 479: a generator cannot raise StopIteration itself.
        is_stop = isinstance(error, StopIteration) and isinstance(raised, RuntimeError) and raised.__cause__ is error
        if error is None or not (raised is error or is_stop):
            raise
        error.__traceback__ = trace
        return False
    message = "the context manager yielded twice"
    raise RuntimeError(message)
