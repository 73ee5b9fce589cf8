"""Calls of foreign code, such as plugins."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGALRM")


@contextlib.contextmanager
def signal_exceptions() -> Iterator[list[BaseException]]:
    """Collect exceptions that signal handlers raise during the call, such as the KeyboardInterrupt of Ctrl-C.

    Foreign code can raise the same types. An exception in the list belongs to the application and must propagate.
    Python calls signal handlers in the main thread only; in other threads the list stays empty.
    """
    raised: list[BaseException] = []
    if threading.current_thread() is not threading.main_thread():
        yield raised
        return
    replaced: dict[Any, tuple[Any, Any]] = {}
    try:
        for number in (getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)):
            handler = signal.getsignal(number)
            if callable(handler):
                noting = _noting(handler, raised)
                replaced[number] = handler, noting
                signal.signal(number, noting)
        yield raised
    finally:
        for number, (handler, noting) in replaced.items():
            if signal.getsignal(number) is noting:
                signal.signal(number, handler)


def _noting(handler: Callable[[int, Any], Any], raised: list[BaseException]) -> Callable[[int, Any], Any]:
    def handle(number: int, frame: Any) -> Any:
        try:
            return handler(number, frame)
        except BaseException as error:
            raised.append(error)
            raise

    return handle
