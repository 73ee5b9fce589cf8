"""A running command."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Final, Self

from asm_core.commands.group import Ending, send_signal
from asm_core.commands.pseudo_terminal import PseudoTerminal
from asm_core.concurrency.latches import Latch, start_thread

if TYPE_CHECKING:
    from types import TracebackType

    from asm_core.commands.command import Command
    from asm_core.commands.console import Console

REAP_SECONDS: Final = 5.0
"""Seconds to wait for a killed process to end. After that it is abandoned."""


class Child:
    """A command in its own session and process group, so that it can be ended as a whole.

    It has no terminal or one of its own, so it receives no signal of this process's terminal (Ctrl-C), only those that
    `interrupt` sends. It inherits signals that were ignored when this process started (SIGHUP under nohup).

    A context manager: at its end, a command that still runs is ended, and no thread, file descriptor or zombie is left.

    Attributes:
        streams: the non-blocking file descriptors to read, by name.
        terminal: its pseudo-terminal, if it has one.
        bell: a file descriptor that becomes readable when the command itself has ended, although other processes may
            still hold its streams.
        was_ended: whether `interrupt` or `end` was called while it ran.
    """

    def __init__(self, command: Command, grace: float, console: Console) -> None:
        """Start the command; its pseudo-terminal is like `console`.

        Raises:
            OSError: it could not be started.
        """
        self._grace = grace
        self._lock = threading.Lock()
        self._over = Latch()
        self._endings: dict[int, Ending] = {}
        self.was_ended = False
        self.terminal = PseudoTerminal(console.size, console.attributes) if command.tty else None
        self.bell, self._ringer = os.pipe()
        try:
            if self.terminal is None:
                self._process = _started(command)
            else:
                self._process = self.terminal.start(command, merge=console.merges)
        except BaseException:
            self._close_bell()
            if self.terminal is not None:
                self.terminal.close()
            raise
        found = {"terminal": self.terminal, "stdout": self._process.stdout, "stderr": self._process.stderr}
        self._outputs = {name: output for name, output in found.items() if output is not None}
        self.streams = {name: output.fileno() for name, output in self._outputs.items()}
        for descriptor in self.streams.values():
            os.set_blocking(descriptor, False)
        try:
            start_thread(self._wait)
        except BaseException:  # the system has reached its limit of threads
            self._process.kill()
            self._wait()
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        """Return the child."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the command if it still runs, and release all resources."""
        for output in self._outputs.values():
            output.close()
        try:
            if self._endings or not self._over.is_set:
                self.end()
        finally:
            self._close_bell()

    def wait(self) -> int | None:
        """Wait for the command to end, and return its status; negative: the signal that ended it.

        Returns None if it could not be ended: it may run as another user (`sudo`), or the kernel blocks it.
        """
        self._over.wait()
        return self._process.returncode

    def interrupt(self, number: int) -> None:
        """Begin to end the command and its group with this signal; if that has begun, send the next stronger signal.

        Returns at once. If the command has ended by itself, this is a no-op.
        """
        begun = bool(self._endings)
        ending = self._begin_to_end(number)
        if begun and ending is not None:
            ending.press()

    def pass_on(self, number: int) -> None:
        """Send a signal to the command's group, unless it has ended."""
        if not self._over.is_set:
            self._send(number)

    def end(self) -> None:
        """End the command and all processes of its group, and wait until they have ended."""
        # Interactive shells ignore SIGTERM, and end as with their terminal.
        ending = self._begin_to_end(signal.SIGTERM if self.terminal is None else signal.SIGHUP)
        if ending is not None:
            ending.is_over.wait()

    def _begin_to_end(self, number: int) -> Ending | None:
        """Return the termination of the command; if there is none yet, create it with this first signal."""
        group = self._process.pid
        if not self._endings:
            if self._over.is_set:
                return None
            self.was_ended = True
            self._send_to_foreground(number)
            # One step, which no other thread or signal handler can divide.
            self._endings.setdefault(group, Ending(group, number, self._grace, then=self._settle))
        ending = self._endings[group]
        ending.begin()
        return ending

    def _send(self, number: int) -> None:
        send_signal(self._process.pid, number)
        self._send_to_foreground(number)

    def _send_to_foreground(self, number: int) -> None:
        """Send a signal to the job in the foreground of the terminal: a shell gives each a group of its own."""
        group = None if self.terminal is None else self.terminal.foreground()
        if group is not None and group != self._process.pid:
            send_signal(group, number)

    def _settle(self) -> None:
        self._over.wait(REAP_SECONDS)
        self._ring()

    def _wait(self) -> None:
        self._process.wait()
        self._ring()

    def _ring(self) -> None:
        self._over.set()
        with self._lock:
            if self._ringer >= 0:
                os.write(self._ringer, b"!")

    def _close_bell(self) -> None:
        with self._lock:
            os.close(self.bell)
            os.close(self._ringer)
            self._ringer = -1


def _started(command: Command) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  runs the caller's command
        command.command,
        stdin=_stdin(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if command.merge else subprocess.PIPE,
        bufsize=0,
        cwd=command.cwd,
        env=command.environment(os.environ),
        start_new_session=True,
    )


def _stdin() -> int | None:
    """Return the standard input of the command: that of this process, or empty if that is a terminal."""
    try:
        return subprocess.DEVNULL if os.isatty(0) or not os.fstat(0) else None
    except OSError:
        return subprocess.DEVNULL
