"""``asm sessions``."""

import contextlib
import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from asm_core.cli.commands.listing import Listed, status_style
from asm_core.cli.output import printing, tables
from asm_core.cli.output.documents import json_array
from asm_core.cli.parsing.arguments import AgentsOption
from asm_core.cli.parsing.finding import all_sessions, short_ids
from asm_core.cli.parsing.store import with_backend
from asm_core.cli.parsing.when import TIME_HELP, parse_time
from asm_core.errors import SessionNotFoundError
from asm_core.models import Session
from asm_core.ports import Backend
from asm_core.querying.accounting.summaries import SessionStats

COLUMNS = (
    *("id", "agent", "user", "title", "command", "status", "exit"),
    *("runs", "events", "tokens", "cost", "duration", "age", "active"),
)
NUMBERS = COLUMNS[6:]
_NARROW = ("id", "agent", "title", "status", "tokens", "cost", "duration", "age")
"""The columns of a terminal; a wide one has also those of `_WIDE`."""
_WIDE = ("id", "agent", "user", "title", *COLUMNS[5:])
_WIDE_FROM = 130
"""Columns of a wide terminal."""
_STATS_AT_ONCE = 100


@with_backend
def list_sessions(
    backend: Backend,
    *,
    agent: AgentsOption = None,
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
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="The largest number of sessions to list.")
    ] = 50,
    everything: Annotated[bool, typer.Option("--all", help="List all sessions.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of objects.")] = False,
) -> None:
    """List sessions, newest first.

    A filter can be repeated: a session matches any of its values, but must have all tags. The cost is in US dollars, as
    recorded with the runs; what is unknown is a dash. On a terminal, ids are short: the end of each id, which all
    commands accept. A session without a title shows its command. Exit status and command are those of its last run.
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
    rows = (Listed.read(backend, one, stats) for one, stats in with_stats(backend, chosen))
    if as_json:
        json_array(one.document() for one in rows)
    elif printing.on_terminal():
        _draw(rows)
    else:
        tables.table(COLUMNS, ([one.cells()[name] for name in COLUMNS] for one in rows))


def _draw(rows: Iterator[Listed]) -> None:
    wide = printing.console().width >= _WIDE_FROM
    columns = _WIDE if wide else _NARROW
    most = dict.fromkeys(("agent", "user"), 24 if wide else 12)
    for first, page in tables.parts(rows):
        shown = []
        for one, short in zip(page, short_ids(row.session for row in page), strict=True):
            cells = {**one.cells(), "id": short}
            cells["title"] = cells["title"] or cells["command"]
            if not wide and one.exit_code:
                cells["status"] += f" {one.exit_code}"
            shown.append([cells[name] for name in columns])
        if page:
            tables.draw(columns, shown, right=NUMBERS, most=most, rest="title", style=status_style)
        if first and not page:
            printing.note("No session was found. To record one, run: asm run -- COMMAND")


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
