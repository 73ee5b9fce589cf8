"""``asm chat`` and ``asm ask``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer

from asm_core.cli.conversing import Conversation, ending_signals, read_prompts
from asm_core.cli.output import printing
from asm_core.cli.parsing.arguments import UserOption
from asm_core.cli.parsing.finding import find_session
from asm_core.cli.parsing.store import Choice, with_choice
from asm_core.cli.redacting import RedactOption, chosen_redactor
from asm_core.config.sections import default_name
from asm_core.errors import AsmError, StorageError
from asm_core.plugins import open_provider
from asm_core.recording.abandoned import close_abandoned
from asm_core.redaction import Redactor

ProviderOption = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="The provider of the model; `asm providers` lists them."),
]
ModelOption = Annotated[str | None, typer.Option("--model", metavar="ID", help="The model.")]
SystemOption = Annotated[str | None, typer.Option("--system", metavar="TEXT", help="The system prompt.")]
AgentOption = Annotated[
    str | None, typer.Option("--agent", metavar="ID", help="The agent of a new session; else the provider's name.")
]
_SHOWN: Final = 10
"""The number of messages of a resumed session that `asm chat` prints."""


@with_choice
def ask_model(
    choice: Choice,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to ask; - reads it from standard input.")],
    *,
    session: Annotated[
        str | None, typer.Option("--session", metavar="SESSION", help="The session to continue; else a new one.")
    ] = None,
    provider: ProviderOption = None,
    model: ModelOption = None,
    system: SystemOption = None,
    agent: AgentOption = None,
    user: UserOption = None,
    redact: RedactOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print which session was recorded.")] = False,
) -> None:
    """Ask a model one question, and record the answer in a session.

    Example: asm ask "What is a keyset?" --provider anthropic --model MODEL. The answer is printed while it arrives. The
    session can be continued with --session, or with asm chat. Ctrl-C ends the answer; what came is recorded.
    """
    text = sys.stdin.read() if prompt == "-" else prompt
    options = {"model": model, "system": system}
    owner = {"agent_id": agent, "user_id": user or default_name("user", choice.config)}
    redactor = chosen_redactor(choice, redact)
    with _opened(choice, session, provider, options, owner, redactor=redactor, quiet=quiet) as conversation:
        conversation.turn(text)


@with_choice
def chat_with_model(
    choice: Choice,
    session: Annotated[str | None, typer.Argument(metavar="SESSION", help="The session to continue.")] = None,
    *,
    provider: ProviderOption = None,
    model: ModelOption = None,
    system: SystemOption = None,
    agent: AgentOption = None,
    user: UserOption = None,
    redact: RedactOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print which session was recorded.")] = False,
) -> None:
    """Talk to a model, and record the conversation in a session.

    Each line of input is a turn; the model gets the conversation so far. Ctrl-C ends an answer, which is recorded as
    far as it came, and the conversation continues. Ctrl-D ends it. With SESSION it continues where that one ended.
    """
    options = {"model": model, "system": system}
    owner = {"agent_id": agent, "user_id": user or default_name("user", choice.config)}
    redactor = chosen_redactor(choice, redact)
    with _opened(choice, session, provider, options, owner, redactor=redactor, quiet=quiet) as conversation:
        if session is not None and sys.stdout.isatty():
            conversation.show(_SHOWN)
        for prompt in read_prompts():
            try:
                conversation.turn(prompt)
            except KeyboardInterrupt:
                printing.note("The answer was ended.")
            except StorageError:
                raise
            except AsmError as error:
                printing.note(f"error: {error.message}")


@contextmanager
def _opened(
    choice: Choice,
    session: str | None,
    provider: str | None,
    options: dict[str, Any],
    owner: dict[str, Any],
    *,
    redactor: Redactor | None,
    quiet: bool,
) -> Iterator[Conversation]:
    """Open store and provider; at the end, pause the session and print its id."""
    given = {name: value for name, value in options.items() if value is not None}
    found = open_provider(provider, config=choice.config, **given)
    with ending_signals(), choice.open(migrate=True) as backend:
        close_abandoned(backend.session_store)
        known = None if session is None else find_session(backend, session).id
        conversation = Conversation(backend.session_store, found, session_id=known, owner=owner, redactor=redactor)
        try:
            yield conversation
        finally:
            if conversation.pause() and not quiet:
                printing.note(f"Recorded session {conversation.session_id}.")
