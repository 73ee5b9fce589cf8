"""``asm export`` and ``asm import``."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from asm_core.cli.files.atomic import atomic_file
from asm_core.cli.files.database_file import check_not_the_store
from asm_core.cli.files.directories import export_store
from asm_core.cli.output import printing
from asm_core.cli.output.progress import shown_progress, shown_work
from asm_core.cli.output.text import counted
from asm_core.cli.parsing.arguments import complete_session
from asm_core.cli.parsing.finding import find_session
from asm_core.cli.parsing.store import Choice, with_choice
from asm_core.cli.redacting import RedactOption, chosen_redactor
from asm_core.ports import Backend
from asm_core.redaction import Redactor
from asm_core.transfer import dump_session
from asm_core.transfer.lines import FIRST_BYTES

STANDARD_STREAM = "-"
_EXPORTS = {"session": "sessions exported", "namespace": "namespaces of state exported"}


@with_choice
def export_to_file(
    choice: Choice,
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="SESSION", help="The session to export, unless --all is given.", autocompletion=complete_session
        ),
    ] = None,
    *,
    target: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write, or - for stdout.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--all", metavar="DIRECTORY", help="Export all sessions and all state, a file each.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    umask: Annotated[
        bool,
        typer.Option("--umask", help="Leave the file's mode to the umask; by default, it is 0600."),
    ] = False,
    redact: RedactOption = None,
) -> None:
    """Export a session to a file, or the whole store to a directory.

    A session has its runs, events and artifacts with it. `asm import` restores it exactly, in any store. The file holds
    JSON lines with checksums, and appears when it is complete. Artifacts are exported as registered; their blobs are
    not. With --all, each session and each namespace of state has a file. Files that are already there and equal are not
    written again, and others are replaced.
    """
    is_all = directory is not None and session is None and target is None
    if not is_all and (session is None or target is None or directory is not None):
        message = "Give a SESSION and --output FILE, or only --all DIRECTORY."
        raise typer.BadParameter(message)
    redactor = chosen_redactor(choice, redact)
    if target is not None and target != STANDARD_STREAM:
        check_not_the_store(choice, Path(target))
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
    counts: Counter[tuple[str, bool]] = Counter()
    with shown_progress(_EXPORTS, total=total) as advance:
        for kind, is_new in export_store(backend, directory, private=private, redactor=redactor):
            counts[kind, is_new] += 1
            advance(kind, 1)
    unchanged = counts["session", False] + counts["namespace", False]
    printing.note(
        f"Exported {counted(counts['session', True], 'session')}{_and_state(counts)} to {directory}; "
        f"{counted(unchanged, 'file')} already there and equal."
    )


def _and_state(counts: Counter[tuple[str, bool]]) -> str:
    has_state = counts["namespace", True] + counts["namespace", False]
    return f" and {counted(counts['namespace', True], 'namespace')} of state" if has_state else ""


def _counts(runs: int, events: int, artifacts: int) -> str:
    return f"{counted(runs, 'run')}, {counted(events, 'event')}, {counted(artifacts, 'artifact')}"
