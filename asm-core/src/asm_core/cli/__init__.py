"""The command ``asm``. Typer and Rich are the extra ``cli``; without it the command says what to install."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

_EXTRA = frozenset({"typer", "rich"})

_YOUNG_OBJECTS: Final = 100_000
"""Loading an ORM makes as many objects, all to stay: to look through them for garbage takes a fifth of the start."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``asm`` with these arguments (None: those of the process) and return its exit status."""
    gc.set_threshold(_YOUNG_OBJECTS)
    own_process = arguments is None
    if own_process:
        _replace_interrupt_handler(signal.default_int_handler, signal.SIG_DFL)
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
        gc.freeze()  # the process ends: nothing is gained by a last look


def _replace_interrupt_handler(old: object, new: Callable[..., object] | signal.Handlers) -> None:
    """Replace what Ctrl-C does. Before a command and after it, it ends the process: a traceback would say nothing."""
    if signal.getsignal(signal.SIGINT) is old and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, new)
