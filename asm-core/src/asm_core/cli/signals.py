"""Signals to `asm run`: recorded where the main thread waits, and never raised as exceptions."""

import contextlib
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Final, Self, TypeVar

T = TypeVar("T")

_ENDING: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGABRT", "SIGALRM", "SIGXCPU")
"""By default they would end this process and leave the command running. So they end the command instead."""
_PASSED_ON: Final = ("SIGUSR1", "SIGUSR2")
"""Signals that are forwarded to the command and end nothing here."""

_TWICE_SECONDS: Final = 0.1
"""Seconds in which a repeated signal counts as one: timeout(1) signals the process and its group."""
_BLINK: Final = 0.25
"""Seconds of the longest single wait."""


class Signals:
    """Signal handling while a command is recorded.

    A context manager. Before `attend`, a signal ends the process, as nothing was recorded yet; no exception is raised.
    After that, the handlers do nothing, and a byte in a socket wakes the main thread. A handler that raises could break
    a held lock, and a second signal could interrupt the cleanup after the first.

    Attributes:
        first: the number of the first signal that requested the end, or None.
    """

    def __init__(self, *also: str) -> None:
        """Pass the signals `also` on, too."""
        self.first: int | None = None
        self._last = (0, 0.0)
        self._noted: set[int] = set()
        self._restored = contextlib.ExitStack()
        self._passed_on = _numbers((*_PASSED_ON, *also))
        self._is_main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        """Install the default action, so that Ctrl-C ends the process."""
        if self._is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._set(signal.SIGINT, signal.SIG_DFL)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the previous handlers; after a signal that requested the end, ignore signals from then on."""
        self._restored.close()
        if self.first is not None:
            for number in self._noted:
                signal.signal(number, signal.SIG_IGN)

    def attend(
        self, action: Callable[[], T], *, interrupt: Callable[[int], object], pass_on: Callable[[int], object]
    ) -> T:
        """Run `action` in a separate thread and return its result; pass signals that arrive meanwhile to the callbacks.

        Signals that were ignored when the process started stay ignored: SIGHUP under nohup, SIGINT in the background.
        """
        if not self._is_main:
            return action()
        receiver, sender = self._note_signals()
        with ThreadPoolExecutor(1, "asm-run") as pool, selectors.DefaultSelector() as selector:
            selector.register(receiver, selectors.EVENT_READ)
            task = pool.submit(action)
            task.add_done_callback(lambda _: _wake(sender))
            while not task.done():
                for number in receiver.recv(4096) if selector.select(_BLINK) else b"":
                    if number in self._passed_on:
                        pass_on(number)
                    elif number and self._is_another(number):
                        self.first = self.first or number
                        interrupt(number)
        return task.result()

    def _note_signals(self) -> tuple[socket.socket, socket.socket]:
        receiver, sender = socket.socketpair()
        receiver.settimeout(0)
        sender.settimeout(0)
        self._restored.callback(receiver.close)
        self._restored.callback(sender.close)
        self._restored.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False))
        for number in _numbers(_ENDING) | self._passed_on:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._noted.add(number)
                self._set(number, _do_nothing)
        return receiver, sender

    def _set(self, number: int, handler: Callable[..., object] | signal.Handlers) -> None:
        self._restored.callback(signal.signal, number, signal.signal(number, handler))

    def _is_another(self, number: int) -> bool:
        now = time.monotonic()
        last, at = self._last
        self._last = (number, now)
        return number != last or now - at >= _TWICE_SECONDS


def _wake(sender: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):  # the socket is full of signals: the main thread is awake
        sender.send(b"\0")


def _numbers(names: Iterable[str]) -> frozenset[int]:
    return frozenset(getattr(signal, name) for name in names if hasattr(signal, name))


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the byte that Python's own handler writes to the wakeup descriptor is enough."""
