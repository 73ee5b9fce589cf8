"""``asm show`` on a terminal: the events as a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from asm_core.cli.output import printing
from asm_core.models import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from asm_core.models import Session
    from asm_core.ports import Backend


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def shown(asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend) -> Callable[..., list[str]]:
    """Store events, and return the lines of the timeline without their times."""

    def show(*events: tuple[str, dict[str, Any]], options: tuple[str, ...] = ()) -> list[str]:
        session = fill(0)
        (run,) = backend.session_store.list_runs(session.id)
        for kind, data in events:
            backend.session_store.append_event(Event.new(type=kind, session_id=session.id, run_id=run.id, data=data))
        timeline = asm("show", session.id, *options).stdout.partition("\n\n")[2].splitlines()[1:]
        return [line.rstrip() if line.startswith(" ") else line[9:].rstrip() for line in timeline]

    return show


def test_messages_have_a_role_and_an_indented_text(shown: Callable[..., list[str]]) -> None:
    parts = [{"type": "text", "text": "one\ntwo"}, {"type": "image", "url": "x"}]
    assert shown(
        ("message_sent", {"role": "user", "content": "word " * 20}),
        ("message_received", {"role": "assistant", "content": parts}),
        ("message_sent", {"content": "more"}),
    ) == [
        *("user", f"    {' '.join(['word'] * 15)}", f"    {' '.join(['word'] * 5)}"),
        *("assistant", "    one", "    two", '    {"type":"image","url":"x"}'),
        *("user", "    more"),
    ]


def test_streamed_text_that_became_a_message_is_shown_once(shown: Callable[..., list[str]]) -> None:
    stream = [("message_streamed", {"delta": delta}) for delta in ("Hel", "lo\n", "you")]
    message = ("message_received", {"role": "assistant", "content": "Hello\nyou"})
    wanted = ["assistant", "    Hello", "    you"]
    assert shown(*stream, message) == wanted
    assert shown(*stream) == wanted
    assert shown(*stream, ("turn_completed", {})) == wanted


def test_a_tool_call_is_followed_by_its_result(shown: Callable[..., list[str]]) -> None:
    assert shown(
        ("tool_call_started", {"tool_call_id": "1", "tool_name": "read", "tool_input": {"path": "x"}}),
        ("tool_call_completed", {"tool_call_id": "1", "tool_output": "text"}),
        ("tool_call_started", {"tool_call_id": "2", "tool_name": "read", "tool_input": "y"}),
        ("tool_call_failed", {"tool_call_id": "2", "tool_name": "read", "error": {"message": "none"}}),
    ) == ["→ read", '    {"path":"x"}', "← read", "    text", "→ read", "    y", "✗ read", "    none"]


def test_a_command_is_shown_with_its_output_and_its_end(shown: Callable[..., list[str]]) -> None:
    error = {"code": "c", "message": "false failed with exit status 2."}
    assert shown(
        ("message_sent", {"role": "user", "content": "false"}),
        ("tool_call_started", {"tool_call_id": "1", "tool_name": "command", "tool_input": {"command": ["false"]}}),
        ("message_streamed", {"stream": "stdout", "delta": "out\n"}),
        ("message_streamed", {"stream": "stdout", "delta": "more\n"}),
        ("message_streamed", {"stream": "stderr", "delta": "err"}),
        (
            "tool_call_failed",
            {"tool_call_id": "1", "error": error["message"], "tool_output": {"exit_code": 2, "duration_ms": 1500}},
        ),
        ("run_failed", {"error": error}),
        ("session_failed", {"error": error}),
    ) == ["user", "    false", "stdout", "    out", "    more", "stderr", "    err", "exit 2 after 1.5s"]


def test_a_long_text_is_folded_unless_it_is_to_be_shown_in_full(shown: Callable[..., list[str]]) -> None:
    lines = [f"line {number}" for number in range(100)]
    event = ("message_streamed", {"stream": "stdout", "delta": "\n".join(lines)})
    folded = [*lines[:10], "… 85 more lines (--full shows them)", *lines[-5:]]
    assert shown(event) == ["stdout", *(f"    {line}" for line in folded)]
    assert shown(event, options=("--full",)) == ["stdout", *(f"    {line}" for line in lines)]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("\x1b[31mred\x1b[0m\x1b]0;title\x07!", "red!"),
        ("10%\r50%\r100%\r\n", "100%"),
        ("a\tb", "a       b"),
        ("\x1b[2J\x00\u202e", "\\x00\\u202e"),
    ],
)
def test_output_cannot_command_the_terminal(shown: Callable[..., list[str]], output: str, text: str) -> None:
    assert shown(("message_streamed", {"stream": "terminal", "delta": output})) == ["terminal", f"    {text}"]


def test_any_data_can_be_shown(shown: Callable[..., list[str]]) -> None:
    odd = [{}, {"content": 5}, {"content": None, "role": 3}, {"content": [1, {"text": 2}]}, {"delta": 5, "stream": []}]
    odd += [{"tool_name": 5, "tool_call_id": [], "tool_input": [1], "tool_output": [], "error": {}}, {"error": 5}]
    kinds = (
        "message_sent",
        "message_streamed",
        "tool_call_started",
        "tool_call_completed",
        "tool_call_failed",
        "run_failed",
    )
    assert shown(*((kind, data) for kind in kinds for data in odd))
    assert shown(*((kind, data) for kind in kinds for data in odd), options=("--full",))


def test_types_are_a_line_an_event(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    fill(3)
    assert asm("show", "--type", "message_streamed").stdout.count(" message_streamed ") == 3
    assert asm("show", "--type", "run_failed").stdout.count("message_streamed") == 0
    assert asm("show", "--type", "unknown").exit_code == 1


def test_the_head_has_the_command_and_where_it_ran(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    origin = {
        "directory": "/x",
        "host": "here",
        "user": "ann",
        "git": {"commit": "0123456789abcdef", "branch": "b", "dirty": True},
    }
    fill(
        0,
        metadata={"origin": origin},
        run={"status": "completed", "input": {"command": ["ls", "a b"]}, "output": {"exit_code": 0}},
    )
    lines = [line.split(maxsplit=1) for line in asm("show").stdout.splitlines() if line.strip()]
    facts = {line[0]: line[1].rstrip() for line in lines if len(line) == 2}
    assert facts["command"] == "ls 'a b'"
    assert facts["exit"] == "status  0"
    assert (facts["directory"], facts["git"], facts["run"]) == (
        "/x",
        "b 0123456789ab with changes",
        "by       ann on here",
    )
    assert "metadata" not in facts


def test_a_value_that_is_an_artifact_is_shown_as_a_note(shown: Callable[..., list[str]]) -> None:
    reference = {
        "key": f"offloaded/ses_1/{'ab' * 32}",
        "content_type": "image/png",
        "byte_size": 2048,
        "checksum_sha256": "ab" * 32,
        "encoding": "base64",
    }
    lines = shown(("tool_call_completed", {"tool_name": "photo", "tool_output": {"asm_artifact": reference}}))
    assert " ".join(map(str.strip, lines)).startswith("← photo [2048 bytes of image/png as the artifact 'offloaded/")
