"""``asm export`` and ``asm import``."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from asm_core.cli.arguments import complete_session
from asm_core.cli.atomic import atomic_file
from asm_core.cli.directories import export_store, exported_files
from asm_core.cli.exits import FAILED
from asm_core.cli.finding import find_session
from asm_core.cli.output import printing
from asm_core.cli.output.progress import shown_progress, shown_work
from asm_core.cli.output.text import counted
from asm_core.cli.redacting import RedactOption, chosen_redactor
from asm_core.cli.store import Choice, with_backend, with_choice
from asm_core.errors import AlreadyExistsError, ValidationError
from asm_core.ports import Backend
from asm_core.redaction import Redactor
from asm_core.transfer import dump_session, load_session
from asm_core.transfer.lines import FIRST_BYTES

STANDARD_STREAM = "-"


@with_choice
def export_to_file(
    choice: Choice,
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="[SESSION]", help="The session to export, unless --all is given.", autocompletion=complete_session
        ),
    ] = None,
    *,
    target: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write, or - for stdout.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--all", metavar="DIRECTORY", help="Export all sessions, a file each.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    umask: Annotated[
        bool,
        typer.Option("--umask", help="Leave the file's mode to the umask; by default, it is 0600."),
    ] = False,
    redact: RedactOption = None,
) -> None:
    """Export a session to a file, or all sessions to a directory.

    A session has its runs, events and artifacts with it. `asm import` restores it exactly, in any store. The file holds
    JSON lines with checksums, and appears when it is complete. Artifacts are exported as registered; their blobs are
    not. With --all, files that are already there and equal are not written again, and others are replaced.
    """
    is_all = directory is not None and session is None and target is None
    if not is_all and (session is None or target is None or directory is not None):
        message = "Give a SESSION and --output FILE, or only --all DIRECTORY."
        raise typer.BadParameter(message)
    redactor = chosen_redactor(choice, redact)
    with choice.open() as backend:
        if directory is not None:
            _export_all(backend, directory, private=not umask, redactor=redactor)
        elif session is not None and target is not None:
            _export_one(backend, session, target, force=force, private=not umask, redactor=redactor)


def _export_one(
    backend: Backend, session: str, target: str, *, force: bool, private: bool, redactor: Redactor | None
) -> None:
    found = find_session(backend, session)
    if target == STANDARD_STREAM:
        report = dump_session(backend, found.id, sys.stdout.buffer, redactor=redactor)
        sys.stdout.buffer.flush()
    else:
        with (
            atomic_file(Path(target), begins_with=FIRST_BYTES, force=force, private=private) as file,
            shown_work("Exporting the session"),
        ):
            report = dump_session(backend, found.id, file, redactor=redactor)
    counts = _counts(report.runs, report.events, report.artifacts)
    printing.note(f"Exported session {report.session_id}: {counts}.")


def _export_all(backend: Backend, directory: Path, *, private: bool, redactor: Redactor | None) -> None:
    total = backend.query_api.search_sessions(include_deleted=True, limit=1, count=True).total_count
    written = unchanged = 0
    with shown_progress({"exported": "sessions exported"}, total=total) as advance:
        for is_new in export_store(backend, directory, private=private, redactor=redactor):
            written += is_new
            unchanged += not is_new
            advance("exported", 1)
    printing.note(
        f"Exported {counted(written, 'session')} to {directory}; {counted(unchanged, 'file')} already there and equal."
    )


@with_backend(migrate=True)
def import_from_file(
    backend: Backend,
    source: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A file that `asm export` wrote, a directory of them, or - for stdin."),
    ],
    *,
    update: Annotated[
        bool,
        typer.Option("--update", help="Bring a session up to date of which an older state is stored."),
    ] = False,
) -> None:
    """Import a session from a file, or all sessions of a directory.

    The whole file is checked before anything is written, and it is stored as a whole or not at all. If an equal session
    is already stored, nothing changes. A session that differs is an error. With --update, and always from a directory,
    a session is brought up to date of which the store has an older state.
    """
    if source != STANDARD_STREAM and Path(source).is_dir():
        _import_all(backend, Path(source))
        return
    opened = _standard_input() if source == STANDARD_STREAM else _existing_file(source)
    with opened as file, shown_work("Importing the session"):
        report = load_session(backend, file, update=update)
    if report.changed:
        done = "Imported" if report.session_added else "Updated"
        counts = _counts(report.runs_added, report.events_added, report.artifacts_added)
        printing.line(f"{done} session {report.session_id}: {counts}.")
    else:
        printing.line(f"Session {report.session_id} is already stored and equal. Nothing was imported.")


def _import_all(backend: Backend, directory: Path) -> None:
    paths = exported_files(directory)
    added = updated = unchanged = 0
    refused: list[str] = []
    with shown_progress({"imported": "sessions imported"}, total=len(paths)) as advance:
        for path in paths:
            try:
                with _existing_file(str(path)) as file:
                    report = load_session(backend, file, update=True)
                added += report.session_added
                updated += report.changed and not report.session_added
                unchanged += not report.changed
            except (AlreadyExistsError, ValidationError) as error:
                refused.append(f"{path}: {error.message}")
            advance("imported", 1)
    printing.line(f"Imported {counted(added, 'session')} and updated {updated}; {unchanged} already stored and equal.")
    for message in refused:
        printing.note(f"error: {message}")
    if refused:
        raise typer.Exit(FAILED)


def _counts(runs: int, events: int, artifacts: int) -> str:
    return f"{counted(runs, 'run')}, {counted(events, 'event')}, {counted(artifacts, 'artifact')}"


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
