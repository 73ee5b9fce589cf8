"""Arguments and options that several commands share, with their completion in a shell."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import typer

from asm_core.cli.parsing.finding import NEWEST, all_sessions, short_ids
from asm_core.cli.parsing.store import Choice
from asm_core.errors import AsmError
from asm_core.models import Session

_MOST_OFFERED: Final = 50
_MOST_READ: Final = 500
"""Sessions, newest first, that a completion reads."""
_PLAIN: Final = re.compile(r"[\w.@/][\w.@/+,~-]*")
"""Names that no shell has to quote."""
_ACTIVE: Final = re.compile(r"[^\w .,/@+-]+")
"""What may be code in a description: Typer's script for zsh evaluates it, and escapes too little."""


def complete_session(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the ids that a shell offers, each with a description."""
    sessions = _newest(context)
    offered: list[tuple[str, str]] = [(NEWEST, "the newest session")] if sessions else []
    for session, short in zip(sessions, short_ids(sessions), strict=True):
        name = session.id if incomplete and session.id.startswith(incomplete) else short
        offered.append((name, _ACTIVE.sub(" ", session.title or session.agent_id).strip()))
    return list(itertools.islice(_beginning_with(incomplete, offered), _MOST_OFFERED))


def complete_agent(context: typer.Context, incomplete: str) -> list[str]:
    """Return the agents of the newest sessions."""
    agents = dict.fromkeys(session.agent_id for session in _newest(context))
    offered = ((agent, "") for agent in agents)
    return [agent for agent, _ in itertools.islice(_beginning_with(incomplete, offered), _MOST_OFFERED)]


def _newest(context: typer.Context) -> list[Session]:
    """Return the newest sessions of the store that the options so far select; none if it cannot be read."""
    given: dict[str, str] = {}
    for place in (context.parent, context):
        for name in Choice.__struct_fields__:
            value = place.params.get(name) if place else None
            given |= {name: value} if value else {}
    try:
        with Choice(**given).open() as backend:
            return list(itertools.islice(all_sessions(backend), _MOST_READ))
    except (AsmError, OSError):  # a shell has no place for a message
        return []


def _beginning_with(incomplete: str, offered: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return (one for one in offered if one[0].startswith(incomplete) and _PLAIN.fullmatch(one[0]))


_NAMES: Final = "The session's id, the beginning or the end of it, or last, last~1, …"
SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help=f"{_NAMES}.", autocompletion=complete_session)]
NewestSessionArgument = Annotated[
    str,
    typer.Argument(
        metavar="SESSION",
        help=f"{_NAMES}; the newest by default.",
        autocompletion=complete_session,
        show_default=False,
    ),
]
UserOption = Annotated[
    str | None,
    typer.Option(
        "--user", metavar="ID", help="The user of a new session; by default ASM_USER, or that of the configuration."
    ),
]
AgentsOption = Annotated[
    list[str] | None,
    typer.Option("--agent", metavar="ID", help="Only sessions of this agent.", autocompletion=complete_agent),
]
