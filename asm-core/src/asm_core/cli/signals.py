"""Signals to `asm run`: noted by the one place where it waits, and never raised as exceptions."""

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
"""They would end this process and leave the command running, so they end the command instead."""
_PASSED_ON: Final = ("SIGUSR1", "SIGUSR2")
"""They mean what the command takes them for."""

_TWICE_SECONDS: Final = 0.1
"""The same signal again within this time is the same request: timeout(1) sends each to the process and to its group."""
_BLINK: Final = 0.25
"""The longest wait in one piece."""


class Signals:
    """What signals to this process do while a command is recorded.

    A context. Until `attend` they end the process, as nothing has begun: Ctrl-C too, without an exception on its way.
    From then on each is noted by a handler that does nothing, and a byte in a socket wakes the main thread. A handler
    that raises could break any lock on its way, and a burst of signals hit the clearing up after the first.

    Attributes:
        first: the number of the first signal that asked for the end, or None.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self._last = (0, 0.0)
        self._noted: set[int] = set()
        self._restored = contextlib.ExitStack()
        self._passed_on = _numbers(_PASSED_ON)
        self._is_main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        """Let Ctrl-C end the process."""
        if self._is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._set(signal.SIGINT, signal.SIG_DFL)
        return self

    def __exit__(self, *_: object) -> None:
        """Let signals do what they did before; after one that asked for the end, ignore the others until it comes."""
        self._restored.close()
        if self.first is not None:
            for number in self._noted:
                signal.signal(number, signal.SIG_IGN)

    def attend(
        self, action: Callable[[], T], *, interrupt: Callable[[int], object], pass_on: Callable[[int], object]
    ) -> T:
        """Return what `action` does, in a thread of its own; give the signals that come meanwhile to the others.

        Signals that this process was started to ignore stay ignored: SIGHUP under nohup, SIGINT in the background.
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
    with contextlib.suppress(BlockingIOError):  # so many signals came that it is awake
        sender.send(b"\0")


def _numbers(names: Iterable[str]) -> frozenset[int]:
    return frozenset(getattr(signal, name) for name in names if hasattr(signal, name))


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal: the byte that Python's own handler sends is all that is needed."""
