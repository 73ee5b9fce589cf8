"""``asm copy`` and ``asm backup``: copies of whole stores."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from asm_core.cli.commands.store.imports import state_line
from asm_core.cli.exits import FAILED
from asm_core.cli.files.atomic import atomic_path
from asm_core.cli.files.database_file import check_not_the_store, url_of
from asm_core.cli.output import printing
from asm_core.cli.output.progress import shown_progress, shown_work
from asm_core.cli.output.text import counted
from asm_core.cli.parsing.store import Choice, with_choice
from asm_core.errors import StorageError, ValidationError
from asm_core.sql.dialects import Dialect
from asm_core.sql.urls import sqlite_path
from asm_core.transfer import copy_store

_SQLITE_BEGINS_WITH = b"SQLite format 3\0"
_STEPS = {
    "copied": "sessions copied",
    "checked": "sessions checked",
    "records_copied": "records of state copied",
    "records_checked": "records of state checked",
}


@with_choice
def copy_to_store(
    choice: Choice,
    *,
    target: Annotated[
        str, typer.Option("--to", metavar="URL", help="The target: a URL, or the name of a configured store.")
    ],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="The source; by default, the store that the other options select."),
    ] = None,
) -> None:
    """Copy all sessions and all state from one store to another, on any backends and databases.

    The target is created and migrated automatically. A repeated copy adds what is new. At the end, the copies are read
    again and compared; the status is 1 if one differs, or was refused because the target has another or a later state.
    """
    with (
        (choice if source is None else choice.at(source)).open() as here,
        choice.at(target).open(migrate=True) as there,
    ):
        total = here.query_api.search_sessions(include_deleted=True, limit=1, count=True).total_count
        with shown_progress(_STEPS, total=total) as advance:
            report = copy_store(here, there, progress=advance)
    checked = report.added + report.updated + report.unchanged
    printing.line(
        f"Copied {counted(report.added, 'session')} and updated {report.updated}; "
        f"{report.unchanged} already there and equal."
    )
    if report.state:
        printing.line(state_line("Copied", report.state))
    errors = [*report.refused.values(), *report.state.refused]
    differing = [*(f"Session {session_id}" for session_id in report.different), *report.different_records]
    errors += [f"{name} of the target differs from the source after the copy." for name in differing]
    for message in errors:
        printing.note(f"error: {message}")
    if errors:
        raise typer.Exit(FAILED)
    records = report.state.added + report.state.updated + report.state.unchanged
    and_records = f" and {counted(records, 'record')} of state" if records else ""
    printing.line(f"Checked {counted(checked, 'session')}{and_records}: equal in both stores.")


@with_choice
def back_up(
    choice: Choice,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Copy the SQLite database to a file while it is in use.

    The copy has the state of one moment, also with writers at work. It appears when it is complete, and is a store like
    any other: asm --url sqlite:///FILE sessions. For PostgreSQL, use pg_dump.
    """
    place = _database(choice)
    check_not_the_store(choice, target)
    with choice.open() as backend:
        sessions = backend.query_api.search_sessions(include_deleted=True, limit=1, count=True).total_count
    with atomic_path(target, begins_with=_SQLITE_BEGINS_WITH, force=force) as (part, _):
        try:
            with (
                shown_work("Copying the database"),
                closing(sqlite3.connect(place)) as source,
                closing(sqlite3.connect(part)) as copy,
            ):
                source.backup(copy)
        except sqlite3.Error as error:
            message = f"The database {place} cannot be copied: {error}."
            raise StorageError(message) from error
    printing.line(f"Copied {place} to {target}: {counted(sessions, 'session')}, {target.stat().st_size:,} bytes.")


def _database(choice: Choice) -> Path:
    url = url_of(choice)
    if url.startswith(Dialect.SQLITE):
        return Path(sqlite_path(url)).absolute()
    if url.startswith(Dialect.POSTGRESQL):
        message = (
            "asm backup copies SQLite databases. For PostgreSQL, run `pg_dump --format=custom --file=FILE DATABASE`, "
            "and pg_restore to restore it."
        )
    else:
        name = choice.resolve().backend
        message = f"asm backup copies SQLite databases, and the backend {name} has none. Use asm export --all."
    raise ValidationError(message)
