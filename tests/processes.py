"""Commands as processes of their own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Start = Callable[..., subprocess.Popen[str]]
    Complete = Callable[..., subprocess.CompletedProcess[str]]


def starter(program: tuple[str, ...], cwd: Path, environment: Mapping[str, str]) -> Start:
    """Return what starts the program with some arguments."""

    def start(*arguments: str, program: tuple[str, ...] = program, **options: Any) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen((*program, *arguments), cwd=cwd, env=environment, **{"text": True, **pipes})

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
