"""``asm show``."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from asm_core.cli.commands.listing import Listed
from asm_core.cli.output import printing
from asm_core.cli.output.documents import json_array
from asm_core.cli.output.history.events import EventPrinter, events_between
from asm_core.cli.output.history.timeline import Timeline
from asm_core.cli.output.text import counted, dollars, duration, json_text, moment
from asm_core.cli.parsing.arguments import NewestSessionArgument
from asm_core.cli.parsing.finding import NEWEST, find_session
from asm_core.cli.parsing.store import with_backend
from asm_core.commands.origin import ORIGIN_KEY
from asm_core.models import Run, Session
from asm_core.models.session import STAMP_KEY
from asm_core.models.statuses import check_event_type
from asm_core.ports import Backend
from asm_core.querying.pages import all_items

_RUN_PAGE = 100
_COMMIT_DIGITS: Final = 12


@with_backend
def show_session(
    backend: Backend,
    session: NewestSessionArgument = NEWEST,
    *,
    full: Annotated[bool, typer.Option("--full", help="Show long texts completely, and all events.")] = False,
    kind: Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Only events of this type.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a session: what it is, and its events.

    On a terminal, the events read as a conversation: messages by role, tool calls with their results, and output. Long
    texts are folded, times are local. With --type, and in a pipe, each event is a line. In a pipe, times are in UTC and
    texts are complete.
    """
    types = frozenset(map(check_event_type, kind or ())) or None
    found = find_session(backend, session)
    if as_json:
        _print_json(backend, found, types)
        return
    listed = Listed.read(backend, found, backend.query_api.get_session_stats(found.id))
    printing.facts(_facts(listed, brief=printing.on_terminal() and not full))
    printing.line()
    head = backend.session_store.get_latest_sequence(found.id)
    events = events_between(backend.session_store, found.id, 0, head, types)
    if printing.on_terminal() and types is None:
        timeline = Timeline(full=full)
        for event in events:
            timeline.print(event)
        timeline.finish()
        return
    printer = EventPrinter(as_json=False, width=len(str(head)), full=full)
    for event in events:
        printer.print(event)


def _facts(listed: Listed, *, brief: bool) -> Iterator[tuple[str, str]]:
    session = listed.session
    yield "session", session.id
    yield "agent", session.agent_id
    yield from ((name, value) for name, value in (("user", session.user_id), ("title", session.title)) if value)
    yield "status", session.status
    metadata = dict(session.metadata)
    stamp, origin = metadata.pop(STAMP_KEY, None), metadata.pop(ORIGIN_KEY, None)
    yield from _run_facts(listed)
    if isinstance(origin, dict):
        yield from _origin_facts(origin)
    if session.parent_session_id:
        yield "parent", session.parent_session_id
    yield "created", moment(session.created_at)
    if not brief:
        yield "updated", moment(session.updated_at)
        yield "active", moment(listed.active_at)
    if session.deleted_at:
        yield "deleted", moment(session.deleted_at)
    if session.tags:
        yield "tags", " ".join(session.tags)
    if isinstance(stamp, dict) and not brief:
        yield "recorded by", f"process {stamp.get('pid')} on {stamp.get('host')}"
    payloads = (("metadata", metadata), ("context", session.context))
    yield from ((name, json_text(payload)) for name, payload in payloads if payload)
    yield from _totals(listed)


def _totals(listed: Listed) -> Iterator[tuple[str, str]]:
    stats = listed.stats
    runs = ", ".join(f"{count} {status}" for status, count in stats.runs_by_status.items())
    yield "runs", runs or "0"
    yield "events", str(stats.event_count)
    if listed.cells()["tokens"] == "-":  # a command has no tokens and no cost
        return
    yield "tokens", f"{stats.total_tokens} ({stats.input_tokens} in, {stats.output_tokens} out)"
    unpriced = f" ({counted(stats.unpriced_run_count, 'run')} of unknown cost)" if stats.unpriced_run_count else ""
    yield "cost", f"{dollars(stats.cost_usd)}{'' if stats.cost_usd is None else ' USD'}{unpriced}"


def _run_facts(listed: Listed) -> Iterator[tuple[str, str]]:
    if listed.command:
        yield "command", listed.command
    if listed.exit_code is not None:
        yield "exit status", str(listed.exit_code)
    if listed.duration is not None:
        yield "duration", duration(listed.duration)


def _origin_facts(origin: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where the command ran."""
    yield "directory", str(origin.get("directory"))
    git = origin.get("git")
    if isinstance(git, dict):
        commit = str(git.get("commit") or "no commit")[:_COMMIT_DIGITS]
        changed = " with changes" if git.get("dirty") else ""
        yield "git", f"{git.get('branch') or 'no branch'} {commit}{changed}"
    yield "run by", f"{origin.get('user')} on {origin.get('host')}"


def _print_json(backend: Backend, session: Session, types: frozenset[str] | None) -> None:
    head = backend.session_store.get_latest_sequence(session.id)
    sys.stdout.write(f'{{"session": {json_text(session)},\n"runs": ')
    json_array(_runs(backend, session.id))
    sys.stdout.write(',"events": ')
    json_array(events_between(backend.session_store, session.id, 0, head, types))
    sys.stdout.write(',"artifacts": ')
    json_array(backend.artifact_registry.list_by_session(session.id))
    sys.stdout.write(f',"last_sequence": {head},\n')
    sys.stdout.write(f'"stats": {json_text(backend.query_api.get_session_stats(session.id))}}}\n')


def _runs(backend: Backend, session_id: str) -> Iterator[Run]:
    filters = {"session_id": session_id, "order_by": "started_at_asc", "limit": _RUN_PAGE}
    return all_items(backend.query_api.search_runs, **filters)
