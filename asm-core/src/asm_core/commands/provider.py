"""The provider for commands of the operating system."""

from __future__ import annotations

import shlex
import signal
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asm_core.commands.child import Child
from asm_core.commands.command import Command
from asm_core.commands.console import Console
from asm_core.commands.pump import Pump
from asm_core.errors import ProviderError, ValidationError
from asm_core.models import EventType
from asm_core.ports import EmitMany, Provider, ProviderResult

if TYPE_CHECKING:
    from asm_core.models import Run, Session
    from asm_core.ports import Emit
    from asm_core.values.payloads import Payload

NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
SIGNALLED: Final = 128
"""Exit statuses as in shells; a command that signal n ended has the status 128 + n."""


class CommandProvider(Provider):
    """Runs a command, and records its output line by line.

    The input of a run is ``{"command": ["program", "argument", ...], "cwd"?: "directory", "env"?: {"NAME": "value"},
    "merge"?: bool, "tty"?: bool}``; no shell interprets it, and `env` is added to the environment of this process.

    Events: ``tool_call_started`` (``tool_input`` is the input), a ``message_streamed`` for each line of output, and
    ``tool_call_completed`` or ``tool_call_failed``, whose ``tool_output`` has ``exit_code``, ``duration_ms`` and the
    counts of lines and bytes. Output without a newline, such as a prompt, is emitted within 50 ms (see `Lines`,
    `output_bytes`). The order within a stream is exact. The order between the streams is that in which they were
    read, unless ``merge`` makes them one.

    The command gets its own process group. Its standard input is that of this process, or empty if that is a terminal.
    With ``tty``, it gets a pseudo-terminal instead. That has the size, the keys and the input of `console`, or else 80
    columns, 24 rows and no input. Its output is recorded as the stream ``terminal``, in the pieces in which it was
    read; the input is not recorded.

    A cancellation sends SIGTERM (with a terminal SIGHUP first) to the whole group and, `grace` seconds later, SIGKILL;
    see `interrupt` for other signals. Processes that the command leaves running after its own end are not ended; see
    `Pump`. With a terminal, they receive SIGHUP.
    """

    name = "command"

    def __init__(self, *, grace: float = 5.0, console: Console | None = None) -> None:
        self._grace = grace
        self._console = Console(None, None) if console is None else console
        self._lock = threading.RLock()
        self._children: dict[str, Child] = {}
        self._interrupted: int | None = None

    def input_messages(self, input: Payload | None) -> list[Payload]:  # noqa: A002  the signature of the port
        """Return the command line as a message of the user."""
        try:
            return [{"role": "user", "content": shlex.join(Command.from_input(input).command)}]
        except ValidationError:
            return super().input_messages(input)  # `execute` raises it, and the run is recorded as failed

    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:  # noqa: ARG002  the signature of the port
        """Run the command of `run.input`; the output has its exit status, duration and counts.

        Raises:
            ValidationError: the input is not a command.
            ProviderError: the command could not be started, or its status was not 0; `details` has ``exit_code``:
                127 if the program was not found, 126 if it cannot be executed, 128 + n if signal n ended it, and None
                if it could not be ended; and ``cancelled`` if `interrupt` or `cancel` ended it.
        """
        command = Command.from_input(run.input)
        if self._interrupted is not None:
            message = f"{command.command[0]} was not started, because signal {self._interrupted} arrived first."
            raise ProviderError(message, details={"cancelled": True})
        call = {"tool_call_id": run.id, "tool_name": self.name}
        size = {"terminal": self._console.size._asdict()} if command.tty else {}
        emit(EventType.TOOL_CALL_STARTED, {**call, "tool_input": command.to_input(), **size})
        started = time.perf_counter()
        try:
            child = Child(command, self._grace, self._console)
        except OSError as error:
            exit_code = NOT_FOUND if _is_missing(error, command) else NOT_EXECUTABLE
            facts = {"exit_code": exit_code, "duration_ms": _milliseconds_since(started)}
            raise _failed(emit, call, _not_started(command, error), facts) from error
        with child, self._attached(child):
            ended, counts = self._attend(run.id, child, emit)
        facts = {**_status(ended), "duration_ms": _milliseconds_since(started), **counts}
        if child.was_ended or ended != 0:
            is_cancelled = child.was_ended or (child.terminal is not None and ended == -signal.SIGINT)  # Ctrl-C
            fate = "was cancelled" if is_cancelled and ended is not None else _fate(ended)
            raise _failed(emit, call, f"{command.command[0]} {fate}.", facts, cancelled=is_cancelled)
        emit(EventType.TOOL_CALL_COMPLETED, {**call, "tool_output": facts})
        return ProviderResult(output=facts)

    def cancel(self, run_id: str) -> None:
        """End the command of a run with all its processes, and wait until they have ended."""
        with self._lock:
            child = self._children.get(run_id)
        if child is not None:
            child.end()

    def interrupt(self, number: int) -> None:
        """End all commands with a signal; return at once.

        The first call sends the signal `number` to their groups, and each further call sends SIGTERM, then SIGKILL.
        Without a further call, SIGTERM follows 30 seconds after SIGINT, and each other signal `grace` seconds after the
        previous one. Later commands are not started. All are recorded as cancelled, whatever their exit status.
        """
        with self._lock:
            self._interrupted = self._interrupted or number
            for child in self._children.values():
                child.interrupt(number)

    def pass_on(self, number: int) -> None:
        """Forward a signal that ends nothing, such as SIGUSR1, to the group of each running command."""
        with self._lock:
            for child in self._children.values():
                child.pass_on(number)

    def resize(self) -> None:
        """Give the pseudo-terminals of all commands the size of the console."""
        with self._lock:
            for child in self._children.values():
                if child.terminal is not None:
                    child.terminal.resize(self._console.size)

    def _attached(self, child: Child) -> AbstractContextManager[None]:
        return nullcontext() if child.terminal is None else self._console.attached(child.terminal)

    def _attend(self, run_id: str, child: Child, emit: Emit) -> tuple[int | None, dict[str, int]]:
        """Record the child's output until it has ended; return its status and the counts."""

        def hand_over(items: list[Payload], size: int) -> None:
            if isinstance(emit, EmitMany):
                emit.many(EventType.MESSAGE_STREAMED, items, size)
                return
            for item in items:
                emit(EventType.MESSAGE_STREAMED, item)

        with self._lock:
            self._children[run_id] = child
            if self._interrupted is not None:
                child.interrupt(self._interrupted)
        self.resize()  # it may have changed since the start
        try:
            pump = Pump(child, hand_over)
            pump.run()
            return child.wait(), pump.counts()
        finally:
            with self._lock:
                del self._children[run_id]


def _status(ended: int | None) -> dict[str, Any]:
    if ended is None:
        return {"exit_code": None}
    return {"exit_code": ended} if ended >= 0 else {"exit_code": SIGNALLED - ended, "signal": -ended}


def _fate(ended: int | None) -> str:
    if ended is None:
        return "could not be ended, and is still running"
    return f"failed with exit status {ended}" if ended >= 0 else f"was ended by signal {-ended}"


def _failed(
    emit: Emit, call: dict[str, str], message: str, facts: dict[str, Any], *, cancelled: bool = False
) -> ProviderError:
    emit(EventType.TOOL_CALL_FAILED, {**call, "error": message, "tool_output": facts})
    return ProviderError(message, details={**facts, "cancelled": True} if cancelled else facts)


def _not_started(command: Command, error: OSError) -> str:
    reason = error.strerror
    if command.cwd is not None and not Path(command.cwd).is_dir():
        reason = f"the directory {Path(command.cwd).absolute()} does not exist"
    return f"{command.command[0]} could not be started: {reason}."


def _is_missing(error: OSError, command: Command) -> bool:
    """Return whether the program is missing, rather than the working directory."""
    return isinstance(error, FileNotFoundError) and (command.cwd is None or error.filename != command.cwd)


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
