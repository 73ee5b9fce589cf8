"""``asm export`` and ``asm import``."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from asm_core.cli.arguments import SessionArgument
from asm_core.cli.atomic import atomic_file
from asm_core.cli.finding import find_session
from asm_core.cli.output import printing
from asm_core.cli.store import with_backend
from asm_core.errors import ValidationError
from asm_core.ports import Backend
from asm_core.transfer import dump_session, load_session
from asm_core.transfer.lines import FIRST_BYTES

STANDARD_STREAM = "-"


@with_backend()
def export_to_file(
    backend: Backend,
    session: SessionArgument,
    *,
    target: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The file to write, or - for stdout.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    umask: Annotated[
        bool,
        typer.Option("--umask", help="Leave the file's mode to the umask; by default, it is 0600."),
    ] = False,
) -> None:
    """Export a session, with its runs, events and artifacts, to a file.

    `asm import` restores it exactly, in any store. The file holds JSON lines with checksums, and appears when it is
    complete. Artifacts are exported as registered; their blobs are not.
    """
    found = find_session(backend, session)
    if target == STANDARD_STREAM:
        report = dump_session(backend, found.id, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with atomic_file(Path(target), begins_with=FIRST_BYTES, force=force, private=not umask) as file:
            report = dump_session(backend, found.id, file)
    printing.note(
        f"Exported session {report.session_id}: {report.runs} runs, {report.events} events, "
        f"{report.artifacts} artifacts."
    )


@with_backend(migrate=True)
def import_from_file(
    backend: Backend,
    source: Annotated[str, typer.Argument(metavar="FILE", help="A file that `asm export` wrote; - is standard input.")],
) -> None:
    """Import a session from a file.

    The whole file is checked before anything is written, and it is stored as a whole or not at all. If an equal session
    is already stored, nothing changes. A session that differs is an error.
    """
    with _standard_input() if source == STANDARD_STREAM else _existing_file(source) as file:
        report = load_session(backend, file)
    if report.changed:
        printing.line(
            f"Imported session {report.session_id}: {report.runs_added} runs, {report.events_added} events, "
            f"{report.artifacts_added} artifacts."
        )
    else:
        printing.line(f"Session {report.session_id} is already stored and equal. Nothing was imported.")


def _standard_input() -> contextlib.nullcontext[BinaryIO]:
    if sys.stdin is None:  # the parent process closed it
        message = "Standard input is closed."
        raise ValidationError(message)
    return contextlib.nullcontext(sys.stdin.buffer)


def _existing_file(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise ValidationError(message) from None
