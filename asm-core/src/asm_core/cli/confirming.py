"""Questions before a command removes something."""

from __future__ import annotations

import typer

from asm_core.cli.exits import FAILED, INTERRUPTED
from asm_core.cli.output import printing


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
