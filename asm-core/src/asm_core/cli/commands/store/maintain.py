"""``asm maintain``."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from asm_core.cli.files.toml import read_toml
from asm_core.cli.output import printing, tables
from asm_core.cli.output.documents import json_document
from asm_core.cli.output.progress import shown_progress
from asm_core.cli.parsing.store import Choice, with_choice
from asm_core.config.sections import configured_retention
from asm_core.errors import ValidationError, short_repr
from asm_core.memory import MemoryBackend
from asm_core.plugins import open_store, resolve_store
from asm_core.ports import SessionStore
from asm_core.recording.abandoned import close_abandoned
from asm_core.retention import MaintenanceReport, RetentionPolicy

UNLIMITED = "unlimited"
PLANNED = ("session", "change", "reason")
_STEPS = {
    "sessions_soft_deleted": "sessions soft-deleted",
    "sessions_hard_deleted": "sessions removed permanently",
    "events_removed": "events removed with them",
    "events_pruned": "events pruned",
    "artifacts_removed": "artifacts removed",
    "records_removed": "expired records removed",
}


@with_choice
def maintain_store(
    choice: Choice,
    *,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A TOML file with the table [retention]; by default, the configuration file."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, and print what would be done.")] = False,
    compact: Annotated[
        bool,
        typer.Option("--compact", help="Afterwards, return unused space to the system. This may block writers."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Delete, archive and prune old sessions and events.

    Applies the retention policy of the table [retention] in the configuration file, or else the default policy, and
    removes records of state that have expired. Then it closes sessions and runs whose recorder was killed. The value
    "unlimited" removes the limit of a field. archive_store is the name of a configured store, or a URL.
    """
    planned: list[tuple[str, str, str]] = []
    with (
        choice.open() as backend,
        _opened(policy, choice, dry_run=dry_run) as wanted,
        shown_progress(_STEPS, quiet=as_json) as progress,
    ):
        report = backend.maintenance.execute(
            wanted, dry_run=dry_run, progress=progress, planned=lambda *change: planned.append(change)
        )
        closed = [] if dry_run else close_abandoned(backend.session_store)
        compaction = backend.maintenance.compact() if compact and not dry_run else None
    if as_json:
        sizes = {} if compaction is None else {"compaction": msgspec.to_builtins(compaction)}
        json_document({**msgspec.to_builtins(report), "abandoned_closed": closed, **sizes, **_plan(report, planned)})
        return
    _tell(report, closed)
    if planned:
        printing.line()
        tables.table(PLANNED, ((session_id, _STEPS[step], reason) for step, session_id, reason in planned))
    if compaction is not None:
        printing.line(f"Compacted: {compaction.size_before} bytes before, {compaction.size_after} bytes after.")


def _plan(report: MaintenanceReport, planned: list[tuple[str, str, str]]) -> dict[str, Any]:
    if not report.dry_run:
        return {}
    return {"planned": [dict(zip(("step", "session_id", "reason"), change, strict=True)) for change in planned]}


def _tell(report: MaintenanceReport, closed: list[str]) -> None:
    counts = [(text, str(getattr(report, field))) for field, text in _STEPS.items()]
    if not report.dry_run:
        counts.append(("abandoned sessions and runs closed", str(len(closed))))
    printing.line("Dry run, nothing was changed. Without --dry-run:" if report.dry_run else "Done.")
    printing.facts(counts)
    for closed_id in closed:
        printing.note(f"Closed {closed_id}: its recorder was killed.")


@contextlib.contextmanager
def _opened(path: Path | None, choice: Choice, *, dry_run: bool) -> Iterator[RetentionPolicy]:
    """Read the policy and open its archive."""
    table = configured_retention(choice.config) or {} if path is None else read_toml(path).get("retention")
    if not isinstance(table, dict):
        message = f"{path} has no table [retention]."
        raise ValidationError(message)
    fields = {name: None if value == UNLIMITED else value for name, value in table.items()}
    with _archive(fields.pop("archive_store", None), choice, dry_run=dry_run) as store:
        yield RetentionPolicy.from_dict(fields, archive_store=store)


@contextlib.contextmanager
def _archive(place: object, choice: Choice, *, dry_run: bool) -> Iterator[SessionStore | None]:
    """Open the archive, a URL or the name of a store; a dry run gets an in-memory store instead."""
    if place is None:
        yield None
        return
    if not isinstance(place, str):
        message = f"archive_store must be the name of a configured store or a URL, not {short_repr(place)}."
        raise ValidationError(message)
    where = {"url": place} if ":" in place else {"store": place, "config": choice.config}
    with MemoryBackend() if dry_run else open_store(resolve_store(**where), migrate=True) as backend:
        yield backend.session_store
