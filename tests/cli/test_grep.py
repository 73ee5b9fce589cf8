"""``asm grep``."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from terminals import Terminal

import asm_core
from asm_core.cli.output import printing
from asm_core.cli.output.history.excerpts import excerpt
from asm_core.models import Event, Session
from asm_core.querying.text_search import MAX_WORDS, TextSearch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from asm_core.ports import Backend

STYLE = re.compile(rb"\x1b\[[0-9;]*m")


def store(backend: Backend, *texts: str, kind: str = "message_sent", **fields: Any) -> Session:
    session = backend.session_store.save_session(Session.new(**{"agent_id": "agent", **fields}))
    backend.session_store.append_events(
        Event.new(type=kind, session_id=session.id, data={"role": "user", "content": text}) for text in texts
    )
    return session


def texts(result: Result) -> list[str]:
    """Return the last cells of a table without its head."""
    return [line.split("\t")[-1] for line in result.stdout.splitlines()[1:]]


def test_a_pipe_gets_a_line_an_event_newest_first(asm: Callable[..., Result], backend: Backend) -> None:
    session = store(backend, "one needle", "hay", "a\nNEEDLE, two needles\nb\nneedle")
    result = asm("grep", "needle")
    head, first, second = result.stdout.splitlines()
    assert head == "session\tnumber\ttime\ttype\ttext"
    assert first.split("\t")[:2] == [session.id, "3"]
    assert first.split("\t")[3:] == ["message_sent", r"NEEDLE, two needles\nneedle"]
    assert second.split("\t")[-1] == "one needle"
    assert result.exit_code == 0


def test_nothing_found_is_status_1_and_no_output(asm: Callable[..., Result], backend: Backend) -> None:
    store(backend, "hay")
    for options in ((), ("--json",)):
        result = asm("grep", "needle", *options)
        assert (result.exit_code, result.stdout) == (1, "")


def test_arguments_are_words_or_phrases(asm: Callable[..., Result], backend: Backend) -> None:
    store(backend, "connection refused", "refused connection", "connections refused")
    assert len(texts(asm("grep", "refused", "connection"))) == 2
    assert texts(asm("grep", "connection refused")) == ["connection refused"]
    assert len(texts(asm("grep", "connect*"))) == 3
    assert texts(asm("grep", 'connection "refused"')) == ["connection refused"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--agent", "a"), ["in a"]),
        (("--agent", "a", "--agent", "b"), ["in b", "in a"]),
        (("--user", "u"), ["in b"]),
        (("--type", "error_occurred"), ["in b"]),
        (("--since", "1h"), ["in b", "in a"]),
        (("--until", "1h"), []),
        (("--limit", "1"), ["in b"]),
        (("--deleted",), ["in c", "in b", "in a"]),
        (("--session", "last~1"), ["in a"]),
        (("--session", "mine"), ["in c"]),
    ],
)
def test_filters(asm: Callable[..., Result], backend: Backend, options: tuple[str, ...], found: list[str]) -> None:
    store(backend, "in a", agent_id="a")
    store(backend, "in b", agent_id="b", user_id="u", kind="error_occurred")
    store(backend, "in c", agent_id="c", id="mine")
    backend.maintenance.soft_delete_session("mine")
    assert texts(asm("grep", "in", *options)) == found


def test_json_has_whole_events(asm: Callable[..., Result], backend: Backend) -> None:
    session = store(backend, "one needle", "another needle")
    found = [json.loads(line) for line in asm("grep", "needle", "--json").stdout.splitlines()]
    assert found == [event.to_dict() for event in reversed(backend.session_store.get_events(session.id))]


def test_context_is_lines_around_a_hit(asm: Callable[..., Result], backend: Backend) -> None:
    store(backend, "a\nb\nneedle\nc\nd\ne\nf\nneedle\ng")
    assert texts(asm("grep", "needle", "-C", "1")) == [r"b\nneedle\nc\n--\nf\nneedle\ng"]
    assert texts(asm("grep", "needle", "--context", "2")) == [r"a\nb\nneedle\nc\nd\ne\nf\nneedle\ng"]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("text", ["", "-", '"*"', "a " * (MAX_WORDS + 1)])
def test_a_search_without_words_is_refused(asm: Callable[..., Result], text: str) -> None:
    result = asm("grep", "--", text)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: text must have 1 to 100 words of letters and digits")


@pytest.mark.parametrize("columns", [80, 200])
def test_no_line_is_wider_than_the_terminal(
    asm: Callable[..., Result], backend: Backend, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(printing, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    store(backend, f"{'x' * 900} needle {'東京 ' * 300}", kind="acme.a_type_that_is_long", id="s" * 70)
    lines = asm("grep", "needle").stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert any("needle" in line for line in lines)


def test_more_than_the_limit_is_announced(
    asm: Callable[..., Result], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing, "on_terminal", lambda: True)
    store(backend, "needle 1", "needle 2")
    assert "--limit shows them" in asm("grep", "needle", "-n", "1").stdout
    assert "--limit shows them" not in asm("grep", "needle", "-n", "2").stdout


def test_a_terminal_shows_hits_highlighted(environment: dict[str, str], tmp_path: Path) -> None:
    with asm_core.open_backend("peewee", url=environment["ASM_URL"], migrate=True) as backend:
        session = store(backend, "zur STRASSE\x1b[2J, Straße")
    command = (sys.executable, "-m", "asm_core", "grep", "straße")
    with Terminal(*command, cwd=tmp_path, env={**environment, "TERM": "xterm-256color"}) as window:
        assert window.ended() == 0
    shown = window.shown
    assert b"\x1b[1;31mSTRASSE\x1b[0m, \x1b[1;31mStra\xc3\x9fe\x1b[0m" in shown
    plain = STYLE.sub(b"", shown).decode().splitlines()
    assert plain[0] == session.id
    assert plain[1].endswith("  1  message_sent")
    assert plain[2].rstrip() == "    zur STRASSE, Straße"


def test_a_long_line_is_cut_around_its_first_hit() -> None:
    event = Event.new(type="message_sent", session_id="s", data={"content": f"{'x' * 500} needle {'y ' * 500}needle"})
    ((line,),) = excerpt(event, TextSearch.of("needle"), context=0)
    assert len(line.text) == 402
    assert [line.text[begin:end] for begin, end in line.hits] == ["needle"]


def test_a_phrase_over_two_lines_is_shown_on_both() -> None:
    event = Event.new(type="message_sent", session_id="s", data={"content": "a\nthe broken\nphrase goes\nb"})
    ((first, second),) = excerpt(event, TextSearch.of('"broken phrase"'), context=0)
    assert [line.text[slice(*line.hits[0])] for line in (first, second)] == ["broken", "phrase"]
