"""Questions before a command removes something, and what may remain afterwards."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from asm_core.cli.exits import FAILED, INTERRUPTED
from asm_core.cli.output import printing

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
_PENDING: Final = (
    "A copy of removed content may remain in the store's files, because a reader is open. `asm maintain` removes it."
)


def confirm(question: str, *, yes: bool) -> None:
    """Ask on standard error, unless `yes` is set; end the command where the answer is no, or there is none."""
    if yes:
        return
    try:
        if typer.confirm(question, err=True):
            return
    except typer.Abort as error:
        printing.note("")  # after the question
        if isinstance(error.__context__, KeyboardInterrupt):
            raise typer.Exit(INTERRUPTED) from None
        printing.note("error: There was no answer: standard input has ended. To confirm without a question, add --yes.")
    printing.note("Nothing was changed.")
    raise typer.Exit(FAILED)


def note_erasure(*, is_finished: bool) -> None:
    """Print a message if a copy of what was removed may remain in the files of the store."""
    if not is_finished:
        printing.note(_PENDING)
