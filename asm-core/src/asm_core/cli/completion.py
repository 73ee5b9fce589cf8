"""The completion that `asm --install-completion` installs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

INSTALL: Final = "--install-completion"
_ADDED: Final = """
# zsh reads this file at the first completion of a shell, which would complete nothing.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _asm_completion "$@"
fi
"""


def complete_installation(arguments: Iterable[str]) -> None:
    """After `--install-completion`, add to the script for zsh what Typer leaves out; else do nothing."""
    if INSTALL not in arguments:
        return
    script = Path.home() / ".zfunc" / "_asm"
    if script.is_file() and _ADDED not in script.read_text():
        with script.open("a") as file:
            file.write(_ADDED)
