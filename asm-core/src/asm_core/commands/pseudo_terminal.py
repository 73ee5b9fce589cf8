"""Pseudo-terminals for commands."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from asm_core.commands.command import Command


class Size(NamedTuple):
    """The size of a terminal, in characters."""

    columns: int = 80
    rows: int = 24


_ATTACH: Final = """
import fcntl, os, signal, sys, termios
report, locale, directory, *command = sys.argv[1:]
report = int(report)
os.set_inheritable(report, False)
for name in ("SIGPIPE", "SIGXFSZ"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
if locale:
    os.environ["LC_CTYPE"] = locale
else:
    os.environ.pop("LC_CTYPE", None)
failed = ""
try:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if directory:
        failed = directory
        os.chdir(directory)
    failed = command[0]
    os.execvp(command[0], command)
except OSError as error:
    os.write(report, b"%d %s" % (error.errno, os.fsencode(failed)))
    os._exit(127)
"""
"""The program that replaces itself by a command, after it made its standard input its controlling terminal.

Only the process itself can do that, and `subprocess` has no safe hook for it in a process with threads. Python sets
LC_CTYPE at its start, so it is set back. An error that prevents the command is written to a descriptor.
"""


class PseudoTerminal:
    """The two ends of a pseudo-terminal: a command's, and this process's, which is non-blocking."""

    def __init__(self, size: Size, attributes: list[Any] | None) -> None:
        """Open a pseudo-terminal with the attributes of another terminal, or default ones without an echo.

        Raises:
            OSError: the system has no pseudo-terminals, or no more of them.
        """
        if not hasattr(os, "openpty"):
            raise OSError(0, "this system has no pseudo-terminals")
        import termios  # noqa: PLC0415  exists on Unix only

        self._end, self._command_end = os.openpty()
        os.set_blocking(self._end, False)
        if attributes is None:
            attributes = termios.tcgetattr(self._command_end)
            attributes[3] &= ~termios.ECHO
        with contextlib.suppress(termios.error):  # another kind of terminal
            termios.tcsetattr(self._command_end, termios.TCSANOW, attributes)
        self.resize(size)

    def start(self, command: Command, *, merge: bool) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own on this terminal; without `merge`, its standard error is a pipe.

        The command's end stays open here until `release`: keys reach a command that has closed its streams.

        Raises:
            OSError: it could not be started.
        """
        reading, writing = os.pipe()
        environment = command.environment(os.environ)
        attach = (sys.executable, "-I", "-S", "-c", _ATTACH, str(writing), environment.get("LC_CTYPE", ""))
        try:
            process = subprocess.Popen(  # noqa: S603  runs the caller's command
                [*attach, command.cwd or "", *command.command],
                stdin=self._command_end,
                stdout=self._command_end,
                stderr=self._command_end if merge else subprocess.PIPE,
                bufsize=0,
                env=environment,
                start_new_session=True,
                pass_fds=[writing],
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        with open(reading, "rb") as report:  # noqa: PTH123  there is a descriptor, and no path
            number, _, name = report.read().partition(b" ")
        if number:
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
            raise OSError(int(number), os.strerror(int(number)), os.fsdecode(name))
        return process

    def fileno(self) -> int:
        """Return the descriptor to read the command's output from, and to write its input to."""
        return self._end

    def resize(self, size: Size) -> None:
        """Set the size; if it changed, the system sends SIGWINCH to the foreground processes."""
        import termios  # noqa: PLC0415

        with contextlib.suppress(OSError):
            termios.tcsetwinsize(self._end, (size.rows, size.columns))

    def foreground(self) -> int | None:
        """Return the process group in the foreground."""
        try:
            return os.tcgetpgrp(self._end) or None
        except OSError:
            return None

    def end_of_input(self) -> bytes:
        """Return the character that ends the input of a command; empty while the command reads single keys."""
        import termios  # noqa: PLC0415

        attributes = termios.tcgetattr(self._end)
        is_by_line = attributes[3] & termios.ICANON
        return attributes[6][termios.VEOF] if is_by_line else b""

    def release(self) -> None:
        """Close the command's end here, so that its output ends when all processes on the terminal have ended."""
        if self._command_end >= 0:
            os.close(self._command_end)
            self._command_end = -1

    def close(self) -> None:
        """Close this process's end: the processes on the terminal receive SIGHUP."""
        self.release()
        os.close(self._end)
