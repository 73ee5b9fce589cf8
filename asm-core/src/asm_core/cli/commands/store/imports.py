"""``asm import``."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from asm_core.cli.exits import FAILED
from asm_core.cli.files.directories import exported_files
from asm_core.cli.output import printing
from asm_core.cli.output.progress import shown_progress, shown_work
from asm_core.cli.output.text import counted
from asm_core.cli.parsing.store import Choice, with_choice
from asm_core.errors import AlreadyExistsError, ValidationError
from asm_core.ports import Backend
from asm_core.transfer import ImportReport, StateReport, load_session, load_state
from asm_core.transfer.lines import HEADER_LIMIT, STATE_FIRST_BYTES
from asm_core.transfer.reading import rereadable

STANDARD_STREAM = "-"


@with_choice
def import_from_file(
    choice: Choice,
    source: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A file that `asm export` wrote, a directory of them, or - for stdin."),
    ],
    *,
    update: Annotated[
        bool,
        typer.Option("--update", help="Bring up to date what is stored in an older state."),
    ] = False,
) -> None:
    """Import a file or a directory that was exported.

    A file has a session, or a namespace of state. The whole file is checked before anything is written. A session is
    stored as a whole or not at all, a record of state by itself. What is already stored and equal stays as it is. What
    differs is an error. With --update, and always from a directory, what the store has in an older state is brought up
    to date.
    """
    if source != STANDARD_STREAM and Path(source).is_dir():
        with choice.open(migrate=True) as backend:
            _import_all(backend, Path(source))
        return
    opened = _standard_input() if source == STANDARD_STREAM else _existing_file(source)
    with opened as file, choice.open(migrate=True) as backend, shown_work("Importing the file"):
        report = _load(backend, file, update=update)
    if isinstance(report, StateReport):
        printing.line(state_line("Imported", report))
        _fail_if(list(report.refused))
    elif report.changed:
        done = "Imported" if report.session_added else "Updated"
        counts = (
            f"{counted(report.runs_added, 'run')}, {counted(report.events_added, 'event')}, "
            f"{counted(report.artifacts_added, 'artifact')}"
        )
        printing.line(f"{done} session {report.session_id}: {counts}.")
    else:
        printing.line(f"Session {report.session_id} is already stored and equal. Nothing was imported.")


def state_line(done: str, report: StateReport) -> str:
    """Return a sentence about records of state."""
    expired = f"; {report.expired} had expired" if report.expired else ""
    return (
        f"{done} {counted(report.added, 'record')} of state and updated {report.updated}; "
        f"{report.unchanged} already there and equal{expired}."
    )


def _import_all(backend: Backend, directory: Path) -> None:
    paths = exported_files(directory)
    added = updated = unchanged = 0
    state = StateReport()
    refused: list[str] = []
    with shown_progress({"imported": "files imported"}, total=len(paths)) as advance:
        for path in paths:
            try:
                with _existing_file(str(path)) as file:
                    report = _load(backend, file, update=True)
            except (AlreadyExistsError, ValidationError) as error:
                refused.append(f"{path}: {error.message}")
            else:
                if isinstance(report, StateReport):
                    state += report
                else:
                    added += report.session_added
                    updated += report.changed and not report.session_added
                    unchanged += not report.changed
            advance("imported", 1)
    printing.line(f"Imported {counted(added, 'session')} and updated {updated}; {unchanged} already stored and equal.")
    if state:
        printing.line(state_line("Imported", state))
    _fail_if([*refused, *state.refused])


def _load(backend: Backend, file: BinaryIO, *, update: bool) -> ImportReport | StateReport:
    with rereadable(file) as source:
        start = source.tell()
        is_state = source.readline(HEADER_LIMIT).startswith(STATE_FIRST_BYTES)
        source.seek(start)
        if is_state:
            return load_state(backend, source, update=update)
        return load_session(backend, source, update=update)


def _fail_if(refused: list[str]) -> None:
    for message in refused:
        printing.note(f"error: {message}")
    if refused:
        raise typer.Exit(FAILED)


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
