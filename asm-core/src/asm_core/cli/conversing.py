"""A conversation with a model on the command line."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

from asm_core.cli.exits import SIGNALLED
from asm_core.cli.output import printing
from asm_core.cli.output.text import json_text
from asm_core.conversation import read_messages
from asm_core.errors import InvalidTransitionError
from asm_core.models import EventType, SessionStatus
from asm_core.recording.manager import SessionManager
from asm_core.retrying import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.models import Event
    from asm_core.ports import SessionStore
    from asm_core.redaction import Redactor

_ATTEMPTS: Final = 3
_PROMPT: Final = "> "
_LONGEST_INPUT: Final = 200
_ENDING: Final = ("SIGTERM", "SIGHUP")


class Conversation:
    """Runs the turns of one session, and prints answers while they arrive.

    Attributes:
        session_id: the session; None before the first turn of a new one.
    """

    def __init__(
        self,
        store: SessionStore,
        provider: Any,
        *,
        session_id: str | None,
        owner: dict[str, Any],
        redactor: Redactor | None,
    ) -> None:
        """Continue a session, or begin one of this agent and user with the first turn."""
        self._store = store
        self._manager = SessionManager(
            store, provider, retry=RetryPolicy(attempts=_ATTEMPTS, initial=1.0), redactor=redactor
        )
        self._owner = owner
        self.session_id = session_id

    def turn(self, prompt: str) -> None:
        """Give a message to the model, and print its answer.

        Raises:
            ProviderError: the run failed.
            KeyboardInterrupt: Ctrl-C ended it; it is recorded as cancelled.
        """
        if self.session_id is None:
            self.session_id = self._manager.start_session(**self._owner).id
        if self._store.get_session(self.session_id).status is SessionStatus.PAUSED:
            self._manager.resume_session(self.session_id)
        answer = _Answer()
        try:
            self._manager.run(self.session_id, prompt, on_event=answer)
        finally:
            answer.end_line()

    def show(self, count: int) -> None:
        """Print the last messages of the session."""
        if self.session_id is None:
            return
        for message in read_messages(self._store, self.session_id).messages[-count:]:
            if message.role in {"user", "assistant"} and message.text:
                sys.stdout.write(f"{_PROMPT if message.role == 'user' else ''}{message.text}\n")

    def pause(self) -> bool:
        """Pause the session, if there is one; return whether there is."""
        if self.session_id is None:
            return False
        with suppress(InvalidTransitionError):  # another process has paused or ended it
            self._manager.pause_session(self.session_id)
        return True


class _Answer:
    """Prints the events of a turn: text to standard output, calls of tools and errors to standard error."""

    def __init__(self) -> None:
        self._is_line_open = False
        self._streamed = False

    def __call__(self, event: Event) -> None:
        data = event.data
        match event.type:
            case EventType.MESSAGE_STREAMED:
                self._write(data.get("delta"))
                self._streamed = True
            case EventType.MESSAGE_RECEIVED:
                if not self._streamed:
                    self._write(data.get("content"))
                self.end_line()
                self._streamed = False
            case EventType.TOOL_CALL_STARTED:
                self._note(f"[{data.get('tool_name')} {json_text(data.get('tool_input'))[:_LONGEST_INPUT]}]")
            case EventType.TOOL_CALL_FAILED:
                self._note(f"[{data.get('tool_name')}: {data.get('error')}]")
            case EventType.ERROR_OCCURRED if "retry_in" in data:
                error = data.get("error")
                reason = error.get("message") if isinstance(error, dict) else error
                self._note(f"[{reason} Next try in {data['retry_in']} s.]")
                self._streamed = False

    def end_line(self) -> None:
        """End the line of the answer, if one is open."""
        if self._is_line_open:
            sys.stdout.write("\n")
            self._is_line_open = False
        sys.stdout.flush()

    def _write(self, text: object) -> None:
        if isinstance(text, str) and text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._is_line_open = not text.endswith("\n")

    def _note(self, text: str) -> None:
        self.end_line()
        printing.note(text)


def read_prompts() -> Iterator[str]:
    """Yield the lines of standard input until its end; on a terminal with a prompt. Blank lines are skipped."""
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        with suppress(ImportError):
            import readline  # noqa: F401, PLC0415  input() uses it for editing
    while True:
        try:
            line = input(_PROMPT if is_terminal else "")
        except EOFError:
            if is_terminal:
                sys.stdout.write("\n")
            return
        except KeyboardInterrupt:
            if not is_terminal:
                raise
            sys.stdout.write("\n")
            continue
        if line.strip():
            yield line


@contextmanager
def ending_signals() -> Iterator[None]:
    """End the process by SIGTERM and SIGHUP as by an exit, so that a run under way is recorded as cancelled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    replaced: dict[int, Any] = {}
    try:
        for number in (getattr(signal, name) for name in _ENDING if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_DFL:
                replaced[number] = signal.signal(number, _exit)
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: object) -> NoReturn:
    raise SystemExit(SIGNALLED + number)
