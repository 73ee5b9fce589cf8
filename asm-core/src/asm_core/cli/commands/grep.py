"""``asm grep``."""

import itertools
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from asm_core.cli.exits import FAILED
from asm_core.cli.output import printing
from asm_core.cli.output.documents import json_document
from asm_core.cli.output.history.excerpts import Line, excerpt, without_sequences
from asm_core.cli.output.text import moment
from asm_core.cli.parsing.arguments import AgentsOption, complete_session
from asm_core.cli.parsing.finding import find_session
from asm_core.cli.parsing.store import with_backend
from asm_core.cli.parsing.when import TIME_HELP, parse_time
from asm_core.escaping import visible
from asm_core.models import Event
from asm_core.ports import Backend
from asm_core.querying.pages import all_items
from asm_core.querying.text_search import TextSearch

COLUMNS: Final = ("session", "number", "time", "type", "text")
_PAGE: Final = 200
_INDENT: Final = 4


@with_backend
def search_text(
    backend: Backend,
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help="Words that an event must all contain.")],
    *,
    agent: AgentsOption = None,
    user: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only sessions of this user.")] = None,
    session: Annotated[
        list[str] | None,
        typer.Option(metavar="SESSION", help="Only this session.", autocompletion=complete_session),
    ] = None,
    kind: Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Only events of this type.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"Only events since {TIME_HELP}.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only events before this time.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Include soft-deleted sessions.")] = False,
    around: Annotated[
        int, typer.Option("--context", "-C", min=0, metavar="N", help="Lines to show around each hit.")
    ] = 0,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="The largest number of events to show.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Search the texts of all sessions for words, newest first.

    An event must contain all words, whole and in any case. An argument of several words is a phrase. A last * stands
    for the rest of a word: 'connect*'. A filter can be repeated. The status is 1 if nothing was found. Each event is
    searched by itself: a word that was typed key by key, or printed in pieces, is in several events and not found.
    """
    text = " ".join(f'"{word.replace(chr(34), " ")}"' for word in words)
    search = TextSearch.of(text)
    chosen = [find_session(backend, name).id for name in session or ()]
    found = all_items(
        backend.query_api.search_text,
        text=text,
        agent_id=agent or None,
        user_id=user or None,
        session_ids=chosen or None,
        types=kind or None,
        since=parse_time("--since", since),
        until=parse_time("--until", until),
        include_deleted=deleted or bool(chosen),
        limit=min(limit + 1, _PAGE),
    )
    if as_json:
        count = _print_json(itertools.islice(found, limit))
    elif printing.on_terminal():
        count = _draw(found, search, context=around, limit=limit)
    else:
        count = _print_rows(itertools.islice(found, limit), search, context=around)
    if not count:
        raise typer.Exit(FAILED)


def _print_json(events: Iterable[Event]) -> int:
    count = 0
    for count, event in enumerate(events, 1):  # noqa: B007  the number of the last one
        json_document(event)
    return count


def _print_rows(events: Iterable[Event], search: TextSearch, *, context: int) -> int:
    count = 0
    for count, event in enumerate(events, 1):
        if count == 1:
            printing.row(COLUMNS)
        pieces = ["\n".join(line.text for line in piece) for piece in excerpt(event, search, context=context)]
        cells = (event.session_id, str(event.sequence_number), moment(event.timestamp), event.type)
        printing.row((*cells, "\n--\n".join(pieces) if context else "\n".join(pieces)))
    return count


def _draw(events: Iterable[Event], search: TextSearch, *, context: int, limit: int) -> int:
    from rich.text import Text  # noqa: PLC0415  only on a terminal

    console, session_id, count = printing.console(), None, 0
    for count, event in enumerate(events, 1):
        if count > limit:
            console.print(Text("… there are more: --limit shows them", style="dim italic"))
            break
        if event.session_id != session_id:
            session_id = event.session_id
            console.print(Text(visible(session_id), style="bold magenta", overflow="fold"))
        at = event.timestamp.astimezone()
        head = Text(overflow="fold")
        head.append(f"  {at:%Y-%m-%d %H:%M:%S}  {event.sequence_number}  ", style="dim")
        head.append(visible(event.type), style="cyan")
        console.print(head)
        for number, piece in enumerate(excerpt(event, search, context=context)):
            if number and context:
                console.print(Text(f"{' ' * _INDENT}--", style="dim"))
            _draw_lines(piece)
    return count


def _draw_lines(lines: Iterable[Line]) -> None:
    from rich.padding import Padding  # noqa: PLC0415  only on a terminal
    from rich.text import Text  # noqa: PLC0415  only on a terminal

    console = printing.console()
    for text, hits in map(without_sequences, lines):
        shown, place = Text(style="" if hits else "dim", overflow="fold"), 0
        for begin, end in hits:
            shown.append(visible(text[place:begin]))
            shown.append(visible(text[begin:end]), style="bold red")
            place = end
        shown.append(visible(text[place:]))
        console.print(Padding(shown, (0, 0, 0, _INDENT)))
