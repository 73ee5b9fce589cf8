"""Commands as processes of their own, each waited for within a limit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

LIMIT: Final = 100.0
"""Seconds after which a process or thread that ought to end counts as hung; less than a test may take."""

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    Start = Callable[..., "Process"]
    Complete = Callable[..., subprocess.CompletedProcess[str]]


class Process(subprocess.Popen[Any]):
    """A process that is killed where it is not waited for, or does not end in time."""

    def wait(self, timeout: float | None = LIMIT) -> int:
        """Wait for the end, and return the status."""
        return super().wait(LIMIT if timeout is None else timeout)

    def communicate(self, input: Any = None, timeout: float | None = LIMIT) -> tuple[Any, Any]:  # noqa: A002
        """Wait for the end, and return what was written."""
        return super().communicate(input, LIMIT if timeout is None else timeout)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the end; where a test failed, bring it about."""
        if kind is not None:
            self.kill()
        try:
            super().__exit__(kind, error, trace)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def ended(*threads: threading.Thread) -> None:
    """Wait for threads to end.

    Raises:
        AssertionError: one of them does not.
    """
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive(), thread


def starter(program: tuple[str, ...], cwd: Path, environment: Mapping[str, str]) -> Start:
    """Return what starts the program with some arguments."""

    def start(*arguments: str, program: tuple[str, ...] = program, **options: Any) -> Process:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return Process((*program, *arguments), cwd=cwd, env=environment, **{"text": True, **pipes})

    return start


def completer(start: Start) -> Complete:
    """Return what runs the program to its end."""

    def complete(*arguments: str, given: Any = None, **options: Any) -> subprocess.CompletedProcess[str]:
        if given is not None:
            options["stdin"] = subprocess.PIPE
        with start(*arguments, **options) as child:
            out, err = child.communicate(given)
        return subprocess.CompletedProcess(arguments, child.returncode, out, err)

    return complete
