"""``asm sessions``."""

import contextlib
import itertools
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from asm_core.cli.finding import all_sessions
from asm_core.cli.output import printing
from asm_core.cli.output.text import age, dollars
from asm_core.cli.store import with_backend
from asm_core.cli.when import TIME_HELP, parse_time
from asm_core.errors import SessionNotFoundError
from asm_core.models import Session
from asm_core.ports import Backend
from asm_core.querying.queries import SESSION_ORDERS, SessionQuery
from asm_core.querying.summaries import SessionStats

COLUMNS = ("id", "agent", "user", "title", "status", "runs", "events", "tokens", "cost", "age", "active")
NUMBERS = COLUMNS[5:]
_STATS_AT_ONCE = 100


@with_backend()
def list_sessions(
    backend: Backend,
    *,
    agent: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only sessions of this agent.")] = None,
    user: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only sessions of this user.")] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Only sessions whose title contains this.")] = None,
    status: Annotated[list[str] | None, typer.Option(metavar="STATUS", help="Only sessions in this status.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only sessions with all of these tags.")] = None,
    provider: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only sessions with runs of this provider.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"Only sessions created after {TIME_HELP}.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only sessions created before this time.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Include soft-deleted sessions.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The largest number of sessions to list.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="List all sessions.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of objects.")] = False,
) -> None:
    """List sessions, newest first.

    A filter can be repeated: a session matches any of its values, but must have all tags. The cost is in US dollars, as
    recorded with the runs.
    """
    found = all_sessions(
        backend,
        agent_id=agent or None,
        user_id=user or None,
        title=title or None,
        status=status or None,
        provider=provider or None,
        tags=tag or None,
        created_after=parse_time("--since", since),
        created_before=parse_time("--until", until),
        include_deleted=deleted,
    )
    chosen = found if everything else itertools.islice(found, min(limit, sys.maxsize))
    rows = ((one, active_at(backend, one), stats) for one, stats in with_stats(backend, chosen))
    if as_json:
        printing.json_array(_document(*row) for row in rows)
    else:
        printing.table(COLUMNS, (_row(*row) for row in rows), right=NUMBERS)


def active_at(backend: Backend, session: Session) -> datetime:
    """Return the time of the last activity of a session."""
    query = SessionQuery(ids=(session.id,), include_deleted=True, order=SESSION_ORDERS["active_at_desc"])
    for found in backend.query_api.reader.find_active(query):
        return found.active_at
    return session.created_at


def with_stats(backend: Backend, sessions: Iterable[Session]) -> Iterator[tuple[Session, SessionStats]]:
    """Yield sessions with their statistics, page by page; a session that was removed meanwhile is left out."""
    remaining = iter(sessions)
    while page := list(itertools.islice(remaining, _STATS_AT_ONCE)):
        try:
            stats = backend.query_api.list_session_stats([session.id for session in page])
        except SessionNotFoundError:
            yield from _one_by_one(backend, page)
        else:
            yield from zip(page, stats, strict=True)


def _one_by_one(backend: Backend, sessions: Iterable[Session]) -> Iterator[tuple[Session, SessionStats]]:
    for session in sessions:
        with contextlib.suppress(SessionNotFoundError):
            yield session, backend.query_api.get_session_stats(session.id)


def _row(session: Session, active: datetime, stats: SessionStats) -> tuple[str, ...]:
    status = f"{session.status} (deleted)" if session.deleted_at else str(session.status)
    numbers = (str(stats.run_count), str(stats.event_count), str(stats.total_tokens), dollars(stats.cost_usd))
    names = (session.id, session.agent_id, session.user_id or "", session.title or "")
    return (*names, status, *numbers, age(session.created_at), age(active))


def _document(session: Session, active: datetime, stats: SessionStats) -> dict[str, Any]:
    return {
        **session.to_dict(),
        "active_at": active,
        "runs": stats.run_count,
        "runs_by_status": stats.runs_by_status,
        "events": stats.event_count,
        "input_tokens": stats.input_tokens,
        "output_tokens": stats.output_tokens,
        "total_tokens": stats.total_tokens,
        "cost_usd": stats.cost_usd,
        "unpriced_runs": stats.unpriced_run_count,
    }
