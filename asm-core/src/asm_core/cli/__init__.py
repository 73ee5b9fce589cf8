"""The command ``asm``. It needs the extra ``cli`` (Typer and Rich); without it, an error names what to install."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

_EXTRA = frozenset({"typer", "rich"})

_HELP: Final = os.path.join(os.path.dirname(__file__), "help.txt")  # noqa: PTH118, PTH120  pathlib is slow to import
"""What Typer prints for `asm --help`; `nox -s stubs` writes it. Importing Typer takes more than half of the start."""
_HELP_WIDTH: Final = 80
"""The help is not wider on a wider terminal."""
_YOUNG_OBJECTS: Final = 100_000
"""Importing an ORM creates this many long-lived objects. Collecting garbage among them takes a fifth of the start."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``asm`` with these arguments (default: `sys.argv`) and return its exit status."""
    gc.set_threshold(_YOUNG_OBJECTS)
    own_process = arguments is None
    if own_process:
        _replace_interrupt_handler(signal.default_int_handler, signal.SIG_DFL)
    if _print_help(sys.argv[1:] if arguments is None else arguments):
        return 0
    try:
        from asm_core.cli.program import start  # noqa: PLC0415  only where the extra is installed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(f"error: The command line needs {error.name}. Install it: pip install 'asm-core[cli]'\n")
        return 1
    if own_process:
        _replace_interrupt_handler(signal.SIG_DFL, signal.default_int_handler)
    try:
        return start(arguments)
    finally:
        if own_process:
            _replace_interrupt_handler(signal.default_int_handler, signal.SIG_DFL)
        gc.freeze()  # the process ends: a last collection gains nothing


def _print_help(arguments: Sequence[str]) -> bool:
    """Print the help of `asm` itself if it is asked for; return False if Typer has to do it, or to handle the error."""
    if [*arguments] not in (["--help"], ["-h"]) or "_ASM_COMPLETE" in os.environ or sys.stdout is None:
        return False
    if shutil.get_terminal_size().columns < _HELP_WIDTH:
        return False
    try:
        with open(_HELP, encoding="utf-8") as file:  # noqa: PTH123  pathlib is slow to import
            sys.stdout.write(file.read())
            sys.stdout.flush()
    except OSError:
        return False
    return True


def _replace_interrupt_handler(old: object, new: Callable[..., object] | signal.Handlers) -> None:
    """Set the handler of SIGINT. Outside a command, Ctrl-C ends the process without a traceback."""
    if signal.getsignal(signal.SIGINT) is old and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, new)
