"""``asm run``."""

import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from asm_core.cli.exits import FAILED, SIGNALLED, TIMED_OUT
from asm_core.cli.output import printing
from asm_core.cli.output.live import LiveOutput
from asm_core.cli.output.text import counted
from asm_core.cli.parsing.arguments import UserOption, complete_agent
from asm_core.cli.parsing.finding import NEWEST
from asm_core.cli.parsing.store import Choice, with_choice
from asm_core.cli.redacting import RedactOption, chosen_redactor
from asm_core.cli.signals import Signals
from asm_core.commands import CommandProvider
from asm_core.commands.console import Console, is_interactive
from asm_core.commands.origin import ORIGIN_KEY, origin_of
from asm_core.config.sections import default_name
from asm_core.errors import AsmError, ProviderError
from asm_core.ports import SessionStore
from asm_core.recording.abandoned import close_abandoned
from asm_core.recording.manager import SessionManager

_OF_TERMINALS: Final = ("SIGWINCH", "SIGCONT")
"""Signals after which the size and the mode of the terminal may have changed."""
_NOT_STARTED: Final = (126, 127)


@with_choice
def run_command(
    choice: Choice,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The program and its arguments, after --.")],
    *,
    agent: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The agent of the session; by default ASM_AGENT, the configuration, or the program's name.",
            autocompletion=complete_agent,
        ),
    ] = None,
    user: UserOption = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag of the session; repeatable.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="End the command after this time.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Metadata of the session; repeatable.")
    ] = None,
    cwd: Annotated[Path | None, typer.Option(metavar="DIRECTORY", help="The working directory of the command.")] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Write standard error to standard output, which keeps their order.")
    ] = False,
    tty: Annotated[
        bool | None,
        typer.Option(
            "--tty/--no-tty",
            help="Give the command a terminal. The default: if standard input and output are a terminal.",
            show_default=False,
        ),
    ] = None,
    redact: RedactOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print which session was recorded.")] = False,
) -> None:
    """Run a command and record it as a session.

    Example: asm run --agent builder -- make test. The output is forwarded live, byte for byte, after it is recorded.
    In a terminal, the command gets a terminal of its own: input and all keys are passed on, and are not recorded.
    The exit status is that of the command; 124 after the timeout, 126 if it cannot be executed, 127 if it is not found,
    and 128 + n if signal n ended it. A signal to asm, such as Ctrl-C, is forwarded to the command. A second signal
    sends SIGTERM, a third SIGKILL. The run is then recorded as cancelled, and the status is 128 + the number of the
    first signal: 130 after Ctrl-C, 143 after SIGTERM.
    """
    say = (lambda _: None) if quiet else printing.note
    facts = {**_facts(metadata or []), ORIGIN_KEY: origin_of(cwd)}
    redactor = chosen_redactor(choice, redact)
    on_terminal = is_interactive() if tty is None else tty
    given: dict[str, Any] = {"command": command}
    given |= {"cwd": str(cwd)} if cwd else {}
    given |= {"merge": True} if merge else {}
    given |= {"tty": True} if on_terminal else {}
    options = {
        "agent_id": agent or default_name("agent", choice.config) or Path(command[0]).name or command[0],
        "user_id": user or default_name("user", choice.config),
        "tags": tag or (),
        "metadata": facts,
        "timeout": timeout,
    }
    with Signals(*(_OF_TERMINALS if on_terminal else ())) as signals, choice.open(migrate=True) as backend:
        closed = close_abandoned(backend.session_store)
        if closed:
            say(f"Closed {len(closed)} sessions or runs whose recorder was killed: {', '.join(closed)}.")
        live = LiveOutput()
        try:
            status = _run(
                partial(SessionManager, backend.session_store, redactor=redactor), live, signals, given, options
            )
        finally:
            if live.last_event is not None and not (live.is_stuck and printing.is_stuck()):
                say(_report(backend.session_store, live))
                if sys.stderr.isatty():
                    say(f"To see it, run: {choice.call('show', NEWEST)}")
    raise typer.Exit(status)


def _run(
    manager_of: Callable[[CommandProvider], SessionManager],
    live: LiveOutput,
    signals: Signals,
    given: dict[str, Any],
    options: dict[str, Any],
) -> int:
    """Run the command and return its exit status."""
    console = Console()
    provider = CommandProvider(console=console)

    def record() -> None:
        with console, live:
            manager_of(provider).run_once(given, on_event=live, **options)

    def interrupt(number: int) -> None:
        provider.interrupt(number)
        live.hurry()

    def pass_on(number: int) -> None:
        if signal.Signals(number).name in _OF_TERMINALS:
            console.resume()
            provider.resize()
        else:
            provider.pass_on(number)

    try:
        signals.attend(record, interrupt=interrupt, pass_on=pass_on)
    except ProviderError as error:
        return _status(error, signals)
    except AsmError as error:
        lost = error.details.get("events_not_recorded")
        if lost:
            printing.note(f"The command was ended, because up to {lost} of its events could not be recorded.")
        raise
    return 0


def _status(error: ProviderError, signals: Signals) -> int:
    """Return the exit status of a failed command; print the reason if the command's output cannot have it."""
    if "timeout" in error.details:
        printing.note(f"error: {error.message}")
        return TIMED_OUT
    if error.details.get("cancelled") and signals.first is not None:
        return SIGNALLED + signals.first
    status = error.details.get("exit_code")
    if status is None or status in _NOT_STARTED:
        printing.note(f"error: {error.message}")
    return FAILED if status is None else int(status)


def _report(store: SessionStore, live: LiveOutput) -> str:
    assert live.last_event is not None  # noqa: S101  callers report recorded sessions only
    session_id, events = live.last_event.session_id, live.last_event.sequence_number
    try:
        status = str(store.get_session(session_id).status)
        # More than was forwarded, if the reader closed the output.
        events = store.get_latest_sequence(session_id)
    except AsmError:
        status = "its final status is unknown, because the store cannot be read"
    return f"Recorded session {session_id}: {status}, {counted(events, 'event')}."


def _facts(pairs: list[str]) -> dict[str, str]:
    facts = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            message = f"{pair!r} is not of the form KEY=VALUE."
            raise typer.BadParameter(message, param_hint="--metadata")
        if key == ORIGIN_KEY:
            message = f"The key {ORIGIN_KEY!r} is reserved for directory, git commit, host and user. Choose another."
            raise typer.BadParameter(message, param_hint="--metadata")
        facts[key] = value
    return facts
