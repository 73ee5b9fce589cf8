"""Tables and help fit a terminal of 80 columns and one of 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len
from test_hostile_text import ALL, STYLES, terminal

from asm_core.models import Event, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.ports import Backend

__all__ = ["terminal"]

TABLES = [
    *("sessions", "sessions --all --deleted", "show", "show --full", "usage", "usage --by session_id", "tag last"),
    *("health", "maintain", "maintain --dry-run", "backends", "providers"),
    *(f"{' '.join(path)} --help" for path in ALL),
    "--help",
]


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("command", TABLES)
def test_no_line_is_wider_than_the_terminal(
    fill: Callable[..., Session],
    terminal: Callable[[list[str]], str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    long = {"title": "A title that is far too long " * 9, "user_id": "u" * 50, "tags": ["pinned"], "status": "failed"}
    fill(agent_id="an-agent-with-a-long-name-" * 3, **long)
    fill(run={"input": {"command": ["make", "x" * 300]}, "token_usage": {"input_tokens": 10**9, "output_tokens": 1}})
    shown = STYLES.sub("", terminal(command.split()))
    assert "Traceback" not in shown
    assert [line for line in shown.splitlines() if cell_len(line) > width] == []


@pytest.mark.parametrize("width", [8, 20, 40])
@pytest.mark.parametrize("command", ["sessions", "usage --recorded-only", "backends", "show", "tail", "grep needle"])
def test_a_narrow_terminal_shows_every_value(
    fill: Callable[..., Session],
    terminal: Callable[[list[str]], str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    usage = {"input_tokens": 4321, "output_tokens": 1}
    fill(run={"input": {"command": ["needle"]}, "token_usage": usage}, title="A needle", status="failed")
    shown = STYLES.sub("", terminal(command.split()))
    assert "Traceback" not in shown
    assert [line for line in shown.splitlines() if cell_len(line) > width] == []
    values = {"sessions": ("failed", "4322"), "usage": ("4321", "total"), "backends": ("memory", "bind")}
    assert all(value in shown for value in values.get(command.split(maxsplit=1)[0], ()) if width > len("total  ") * 2)


def test_columns_are_wrapped_between_words(
    fill: Callable[..., Session], terminal: Callable[[list[str]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    monkeypatch.setenv("COLUMNS", "80")
    shown = STYLES.sub("", terminal(["backends"]))
    assert "asm-backend-sqlmodel" in shown
    assert "global_event_ids" in shown


def test_texts_of_the_last_events_are_aligned_and_without_colours(
    backend: Backend, terminal: Callable[[list[str]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    session = backend.session_store.save_session(Session.new(agent_id="agent"))
    data = {"stream": "terminal", "delta": "\x1b[31m" + "word " * 20 + "\x1b[0m\r\nnext\r\n"}
    backend.session_store.append_event(Event.new(type="message_streamed", session_id=session.id, data=data))
    lines = STYLES.sub("", terminal(["tail"])).splitlines()[1:]
    begin = lines[0].index("terminal:")
    assert [line[:begin].strip() for line in lines[1:]] == ["", "", ""]
    assert [line[begin : begin + 4] for line in lines[1:]] == ["word", "word", "next"]
    assert "x1b" not in "".join(lines)


def test_found_lines_are_without_colours(backend: Backend, terminal: Callable[[list[str]], str]) -> None:
    session = backend.session_store.save_session(Session.new(agent_id="agent"))
    data = {"stream": "terminal", "delta": "a \x1b[1;31mred\x1b[0m needle\r\n"}
    backend.session_store.append_event(Event.new(type="message_streamed", session_id=session.id, data=data))
    shown = terminal(["grep", "red", "needle"])
    assert "    a red needle" in [line.rstrip() for line in STYLES.sub("", shown).splitlines()]
    assert "\x1b[1;31mred\x1b[0m \x1b[1;31mneedle\x1b[0m" in shown


def test_an_empty_store_names_the_first_command(backend: Backend, terminal: Callable[[list[str]], str]) -> None:
    assert backend.query_api.search_sessions().items == []
    assert terminal(["sessions"]) == "No session was found. To record one, run: asm run -- COMMAND\n"


def test_bars_give_way_to_the_numbers(
    fill: Callable[..., Session], terminal: Callable[[list[str]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = {"input_tokens": 123_456_789, "output_tokens": 1}
    fill(run={"provider": "anthropic", "provider_metadata": {"model": "some-model-5"}, "token_usage": usage})
    for width, has_bars in ((80, False), (120, True)):
        monkeypatch.setenv("COLUMNS", str(width))
        head, _, row, *_ = STYLES.sub("", terminal(["usage", "--recorded-only"])).splitlines()
        assert head.split()[:3] == ["provider", "model", "runs"]
        assert "123456789" in row
        assert ("█" in row) is has_bars


def test_only_what_is_of_less_interest_is_dim(
    backend: Backend, terminal: Callable[[list[str]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    session = backend.session_store.save_session(Session.new(agent_id="agent"))
    data = {"role": "assistant", "content": "needle"}
    backend.session_store.append_event(Event.new(type="message_received", session_id=session.id, data=data))
    assert "\x1b[1;32massistant" in terminal(["show"])
    assert "\x1b[36mmessage_received" in terminal(["grep", "needle"])


def test_a_dumb_terminal_has_its_own_width(
    fill: Callable[..., Session], terminal: Callable[[list[str]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(title="A title that is far too long " * 9)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")
    shown = terminal(["sessions"])
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 40
