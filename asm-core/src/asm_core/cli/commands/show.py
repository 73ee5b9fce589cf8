"""``asm show``."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from asm_core.cli.arguments import NewestSessionArgument
from asm_core.cli.commands.listing import active_at
from asm_core.cli.finding import NEWEST, find_session
from asm_core.cli.output import printing
from asm_core.cli.output.events import EventPrinter, events_between
from asm_core.cli.output.text import dollars, json_text, moment
from asm_core.cli.store import with_backend
from asm_core.models import Run, Session
from asm_core.models.session import STAMP_KEY
from asm_core.ports import Backend
from asm_core.querying.pages import all_items
from asm_core.querying.summaries import SessionStats

_RUN_PAGE = 100


@with_backend()
def show_session(
    backend: Backend,
    session: NewestSessionArgument = NEWEST,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a session and its events.

    On a terminal, times are local and very long texts are cut. In a pipe, times are in UTC and texts are complete.
    """
    found = find_session(backend, session)
    if as_json:
        _print_json(backend, found)
        return
    printing.facts(_facts(found, active_at(backend, found), backend.query_api.get_session_stats(found.id)))
    printing.line()
    head = backend.session_store.get_latest_sequence(found.id)
    printer = EventPrinter(as_json=False, width=len(str(head)))
    for event in events_between(backend.session_store, found.id, 0, head):
        printer.print(event)


def _facts(session: Session, active: datetime, stats: SessionStats) -> Iterator[tuple[str, str]]:
    yield "session", session.id
    yield "agent", session.agent_id
    if session.user_id:
        yield "user", session.user_id
    if session.title:
        yield "title", session.title
    yield "status", session.status
    if session.parent_session_id:
        yield "parent", session.parent_session_id
    yield "created", moment(session.created_at)
    yield "updated", moment(session.updated_at)
    yield "active", moment(active)
    if session.deleted_at:
        yield "deleted", moment(session.deleted_at)
    if session.tags:
        yield "tags", " ".join(session.tags)
    metadata = dict(session.metadata)
    stamp = metadata.pop(STAMP_KEY, None)
    if isinstance(stamp, dict):
        yield "recorded by", f"process {stamp.get('pid')} on {stamp.get('host')}"
    for name, payload in (("metadata", metadata), ("context", session.context)):
        if payload:
            yield name, json_text(payload)
    runs = ", ".join(f"{count} {status}" for status, count in stats.runs_by_status.items())
    yield "runs", runs or "0"
    yield "events", str(stats.event_count)
    yield "tokens", f"{stats.total_tokens} ({stats.input_tokens} in, {stats.output_tokens} out)"
    unpriced = f" ({stats.unpriced_run_count} runs of unknown cost)" if stats.unpriced_run_count else ""
    yield "cost", f"{dollars(stats.cost_usd)} USD{unpriced}"


def _print_json(backend: Backend, session: Session) -> None:
    head = backend.session_store.get_latest_sequence(session.id)
    sys.stdout.write(f'{{"session": {json_text(session)},\n"runs": ')
    printing.json_array(_runs(backend, session.id))
    sys.stdout.write(',"events": ')
    printing.json_array(events_between(backend.session_store, session.id, 0, head))
    sys.stdout.write(',"artifacts": ')
    printing.json_array(backend.artifact_registry.list_by_session(session.id))
    sys.stdout.write(f',"last_sequence": {head},\n')
    sys.stdout.write(f'"stats": {json_text(backend.query_api.get_session_stats(session.id))}}}\n')


def _runs(backend: Backend, session_id: str) -> Iterator[Run]:
    filters = {"session_id": session_id, "order_by": "started_at_asc", "limit": _RUN_PAGE}
    return all_items(backend.query_api.search_runs, **filters)
