"""The command ``asm``. Typer and Rich are the extra ``cli``; without it the command says what to install."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_EXTRA = frozenset({"typer", "rich"})

_YOUNG_OBJECTS: Final = 100_000
"""Loading an ORM makes as many objects, all to stay: to look through them for garbage takes a fifth of the start."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``asm`` with these arguments (None: those of the process) and return its exit status."""
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        from asm_core.cli.program import start  # noqa: PLC0415  only where the extra is installed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(f"error: The command line needs {error.name}. Install it: pip install 'asm-core[cli]'\n")
        return 1
    try:
        return start(arguments)
    finally:
        gc.freeze()  # the process ends: nothing is gained by a last look
