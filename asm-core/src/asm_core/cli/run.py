"""``asm run``."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import typer

from asm_core.abandoned import close_abandoned
from asm_core.cli import output
from asm_core.cli.exits import FAILED, INTERRUPTED, TIMED_OUT
from asm_core.cli.live import LiveOutput
from asm_core.cli.store import with_backend
from asm_core.commands import CommandProvider
from asm_core.errors import AsmError, ProviderError
from asm_core.manager import SessionManager
from asm_core.ports import Backend, SessionStore

_NOT_STARTED: Final = (126, 127)


@with_backend(migrate=True)
def run_command(
    backend: Backend,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The program and its arguments, behind --.")],
    *,
    agent: Annotated[str, typer.Option(metavar="ID", help="The agent that the session is with.")],
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="A name to find the session by; repeatable.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="End the command after this time.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Kept with the session; repeatable.")
    ] = None,
    cwd: Annotated[Path | None, typer.Option(metavar="DIRECTORY", help="The directory to run the command in.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not say which session was recorded.")] = False,
) -> None:
    """Run a command and record it as a session.

    As in: asm run --agent builder -- make test. The output is shown live, to the byte, as soon as it is recorded. The
    exit status is the command's own; 124 after the timeout, 126 and 127 where it cannot be executed or found, 130 after
    Ctrl-C or SIGTERM, which end the command and are recorded, and 128 + n where signal n ended it.
    """
    say = (lambda _: None) if quiet else output.note
    facts = _facts(metadata or [])
    closed = close_abandoned(backend.session_store)
    if closed:
        say(f"Closed {len(closed)} sessions whose recorder had died: {', '.join(closed)}.")
    given: dict[str, Any] = {"command": command} | ({"cwd": str(cwd)} if cwd else {})
    live = LiveOutput()
    try:
        with _terminable(), live:
            status = _run(
                backend.session_store, live, given, agent_id=agent, tags=tag or (), metadata=facts, timeout=timeout
            )
    finally:
        if live.last_event is not None:
            say(_report(backend.session_store, live))
    raise typer.Exit(status)


def _run(store: SessionStore, live: LiveOutput, given: dict[str, Any], **options: Any) -> int:
    """Run the command and return its exit status."""
    try:
        SessionManager(store, CommandProvider()).run_once(given, on_event=live, **options)
    except KeyboardInterrupt:
        _let_the_end_be_recorded()
        return INTERRUPTED
    except ProviderError as error:
        if "timeout" in error.details:
            output.note(f"error: {error.message}")
            return TIMED_OUT
        status = error.details.get("exit_code")
        if status is None or status in _NOT_STARTED:
            output.note(f"error: {error.message}")
        return FAILED if status is None else int(status)
    except AsmError as error:
        lost = error.details.get("events_not_recorded")
        if lost:
            output.note(f"The command was ended, as up to {lost} events of it could not be recorded.")
        raise
    return 0


def _let_the_end_be_recorded() -> None:
    """Wait for what a second Ctrl-C left to the background, while the store is open; another one ends the waiting."""
    for thread in threading.enumerate():
        if thread.name.startswith("asm-") and not thread.daemon:
            thread.join()


def _report(store: SessionStore, live: LiveOutput) -> str:
    assert live.last_event is not None  # noqa: S101  says the caller
    session_id, events = live.last_event.session_id, live.last_event.sequence_number
    try:
        status = str(store.get_session(session_id).status)
        # More than was shown, if nobody read it to the end.
        events = store.get_latest_sequence(session_id)
    except AsmError:
        status = "its end is not known, as the store cannot be read"
    return f"Recorded session {session_id}: {status}, {events} events."


def _facts(pairs: list[str]) -> dict[str, str]:
    facts = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            message = f"{pair!r} is no KEY=VALUE."
            raise typer.BadParameter(message, param_hint="--metadata")
        facts[key] = value
    return facts


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM, and the end of the terminal, interrupt as Ctrl-C does, so that the end is recorded."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
