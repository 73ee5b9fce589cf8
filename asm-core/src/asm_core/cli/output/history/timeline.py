"""Events of a session as a conversation, on a terminal."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.cli.output import printing
from asm_core.cli.output.history.folding import WIDEST, Folded
from asm_core.cli.output.styles import ATTENTION
from asm_core.cli.output.text import duration, json_text, summary, with_notes
from asm_core.commands import output_bytes
from asm_core.escaping import visible
from asm_core.models import EventType

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from asm_core.models import Event

_INDENT: Final = 4
_COMMAND: Final = "command"
"""The tool of recorded commands."""

# Their state is in the head.
_SILENT: Final = frozenset(
    {
        EventType.SESSION_CREATED,
        EventType.SESSION_STARTED,
        EventType.SESSION_COMPLETED,
        EventType.RUN_STARTED,
        EventType.RUN_COMPLETED,
        EventType.TOKEN_USAGE_UPDATED,
        EventType.TURN_COMPLETED,
    }
)
_ROLES: Final = {"user": "bold cyan", "assistant": "bold green", "system": "bold magenta", "tool": f"bold {ATTENTION}"}


class Timeline:
    """Prints messages by role, tool calls with their results, and output; long texts are folded."""

    def __init__(self, *, full: bool) -> None:
        """Fold long texts unless `full` is set; it also shows the events that the head sums up."""
        self._full = full
        self._console = printing.console()
        self._day: date | None = None
        self._prompt: str | None = None
        self._error: str | None = None
        self._calls: dict[str, str] = {}
        self._stream = Folded(full=full)
        self._streaming: tuple[str | None, str] | None = None
        self._draw: dict[str, Callable[[Event], None]] = {
            EventType.MESSAGE_SENT: self._message,
            EventType.MESSAGE_RECEIVED: self._message,
            EventType.MESSAGE_STREAMED: self._streamed,
            EventType.TOOL_CALL_STARTED: self._call,
            EventType.TOOL_CALL_COMPLETED: self._result,
            EventType.TOOL_CALL_FAILED: self._result,
            EventType.RUN_FAILED: self._failure,
            EventType.SESSION_FAILED: self._failure,
            EventType.ERROR_OCCURRED: self._failure,
        }

    def print(self, event: Event) -> None:
        """Print an event, or hold it until `finish` or another event."""
        if event.type != EventType.MESSAGE_STREAMED:
            self._end_stream(event)
            event = msgspec.structs.replace(event, data=with_notes(event.data))
        draw = self._draw.get(event.type)
        if draw is not None:
            draw(event)
        elif self._full or event.type not in _SILENT:
            self._label(event, event.type, "dim", summary(event.data))

    def finish(self) -> None:
        """Print what is held."""
        self._end_stream(None)

    # -- messages ------------------------------------------------------------------------------------------------------

    def _message(self, event: Event) -> None:
        text = _content(event.data.get("content"))
        role = event.data.get("role")
        role = role if isinstance(role, str) else "user" if event.type == EventType.MESSAGE_SENT else "assistant"
        self._prompt = text
        self._label(event, role, _ROLES.get(role, "bold"))
        self._body(text)

    def _streamed(self, event: Event) -> None:
        stream = event.data.get("stream")
        place = (event.run_id, stream if isinstance(stream, str) else "")
        if self._streaming not in {None, place}:
            self._end_stream(None)
        if self._streaming is None:
            self._streaming = place
            self._stream = Folded(full=self._full)
            if place[1]:
                self._label(event, place[1], ATTENTION if place[1] == "stderr" else "dim")
            self._began = event
        has_delta = isinstance(event.data.get("delta"), str)
        self._stream.add(output_bytes(event.data).decode(errors="replace") if has_delta else summary(event.data))

    def _end_stream(self, event: Event | None) -> None:
        """Print the output so far, unless the event is the message that it became."""
        if self._streaming is None:
            return
        run_id, stream = self._streaming
        self._streaming = None
        if not stream:
            if event is not None and event.type == EventType.MESSAGE_RECEIVED and event.run_id == run_id:
                return
            self._label(self._began, "assistant", _ROLES["assistant"])
        self._print_folded(self._stream)

    # -- tools ---------------------------------------------------------------------------------------------------------

    def _call(self, event: Event) -> None:
        name, given = str(event.data.get("tool_name", "tool")), event.data.get("tool_input")
        self._calls[str(event.data.get("tool_call_id"))] = name
        command = given.get("command") if isinstance(given, dict) else None
        if name == _COMMAND and isinstance(command, list):
            line = shlex.join(map(str, command))
            if line != self._prompt:  # the message before it is the command
                self._label(event, "$", "bold", line)
            return
        self._label(event, f"→ {name}", f"bold {ATTENTION}")
        self._body(given if isinstance(given, str) else json_text(given) if given is not None else "")

    def _result(self, event: Event) -> None:
        data = event.data
        name = data.get("tool_name") or self._calls.get(str(data.get("tool_call_id")), "tool")
        failed = event.type == EventType.TOOL_CALL_FAILED
        result = data.get("tool_output")
        if name == _COMMAND and isinstance(result, dict) and "exit_code" in result:
            self._error = _message_of(data.get("error"))
            self._label(event, "exit", "dim", _ending(result), style="bold red" if failed else "green")
            return
        self._label(event, f"{'✗' if failed else '←'} {name}", "bold red" if failed else ATTENTION)
        if failed:
            self._error = _message_of(data.get("error"))
            self._body(self._error or "")
        if result is not None:
            self._body(result if isinstance(result, str) else _content(result) or json_text(result))

    def _failure(self, event: Event) -> None:
        text = _message_of(event.data.get("error")) or summary(event.data)
        if text == self._error and not self._full:  # a failed tool, its run and its session have one error
            return
        self._error = text
        self._label(event, "error", "bold red", text)

    # -- lines ---------------------------------------------------------------------------------------------------------

    def _label(self, event: Event, name: str, name_style: str, text: str = "", *, style: str = "none") -> None:
        from rich.padding import Padding  # noqa: PLC0415  only on a terminal
        from rich.text import Text  # noqa: PLC0415  only on a terminal

        at = event.timestamp.astimezone()
        if at.date() != self._day:
            self._day = at.date()
            self._console.print(Text(f"{at:%A, %d %B %Y, %Z}", style="dim italic"))
        line = Text(overflow="fold")  # without a style, which would dim what follows
        line.append(f"{at:%H:%M:%S} ", style="dim")
        line.append(visible(name), style=name_style)
        if text:
            line.append(f" {visible(text[:WIDEST])}", style=style)
        self._console.print(Padding(line, (0, 0)))

    def _body(self, text: str) -> None:
        folded = Folded(full=self._full)
        folded.add(text)
        self._print_folded(folded)

    def _print_folded(self, folded: Folded) -> None:
        from rich.padding import Padding  # noqa: PLC0415  only on a terminal
        from rich.text import Text  # noqa: PLC0415  only on a terminal

        first, hidden, last = folded.parts()
        for lines in (first, last):
            if lines is last and hidden:
                note = f"… {hidden} more lines (--full shows them)"
                self._console.print(Padding(Text(note, style="dim italic"), (0, 0, 0, _INDENT)))
            if lines:
                body = Text("\n".join(map(visible, lines)), overflow="fold")
                self._console.print(Padding(body, (0, 0, 0, _INDENT)))


def _content(content: object) -> str:
    """Return the text of a message, or of its parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else json_text(content)
    return "\n".join(_part(part) for part in content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else json_text(part)


def _message_of(error: object) -> str | None:
    if isinstance(error, dict):
        return str(error["message"]) if "message" in error else json_text(error)
    return error if isinstance(error, str) else None


def _ending(result: dict[str, Any]) -> str:
    from datetime import timedelta  # noqa: PLC0415

    spent = result.get("duration_ms")
    after = f" after {duration(timedelta(milliseconds=spent))}" if isinstance(spent, int | float) else ""
    return f"{result['exit_code']}{after}"
