"""``asm export`` and ``asm import``."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from asm_core.cli.atomic import atomic_file
from asm_core.cli.commands.show import SessionArgument
from asm_core.cli.finding import find_session
from asm_core.cli.output import printing
from asm_core.cli.store import with_backend
from asm_core.errors import ValidationError
from asm_core.ports import Backend
from asm_core.transfer import export_session, import_session
from asm_core.transfer.lines import FIRST_BYTES

STANDARD_STREAM = "-"


@with_backend()
def export_to_file(
    backend: Backend,
    session: SessionArgument,
    *,
    target: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to; - is standard output.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    umask: Annotated[
        bool, typer.Option("--umask", help="Leave the file's mode to the umask; else only its owner can read it.")
    ] = False,
) -> None:
    """Write a session with all that belongs to it to a file.

    `asm import` reads it back exactly, into any store. The file has JSON lines with check sums, and is there whole or
    not at all. Artifacts are exported as what is registered of them; the blobs they name are not.
    """
    found = find_session(backend, session)
    if target == STANDARD_STREAM:
        report = export_session(backend, found.id, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with atomic_file(Path(target), begins_with=FIRST_BYTES, force=force, private=not umask) as file:
            report = export_session(backend, found.id, file)
    printing.note(
        f"Exported session {report.session_id}: {report.runs} runs, {report.events} events, "
        f"{report.artifacts} artifacts."
    )


@with_backend(migrate=True)
def import_from_file(
    backend: Backend,
    source: Annotated[str, typer.Argument(metavar="FILE", help="A file that `asm export` wrote; - is standard input.")],
) -> None:
    """Store a session from a file, as it was exported.

    The file is checked to its end before anything is written, and all of it is written or nothing. A session that is
    stored already is left alone if it is the same, and an error if it differs.
    """
    with _standard_input() if source == STANDARD_STREAM else _existing_file(source) as file:
        report = import_session(backend, file)
    if report.changed:
        printing.line(
            f"Imported session {report.session_id}: {report.runs_added} runs, {report.events_added} events, "
            f"{report.artifacts_added} artifacts."
        )
    else:
        printing.line(f"Session {report.session_id} is there already, and the same; nothing was imported.")


def _standard_input() -> contextlib.nullcontext[BinaryIO]:
    if sys.stdin is None:  # closed by whoever started this process
        message = "Standard input is closed."
        raise ValidationError(message)
    return contextlib.nullcontext(sys.stdin.buffer)


def _existing_file(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise ValidationError(message) from None
