"""``asm tail``."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from asm_core.cli.commands.tail import follow_to_end
from asm_core.memory.session_store import MemorySessionStore
from asm_core.models import Event, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

    from asm_core.ports import Backend, SessionStore


def append(backend: Backend, session: Session, kind: str, *, count: int = 1) -> None:
    backend.session_store.append_events(Event.new(type=kind, session_id=session.id) for _ in range(count))


def numbers(result: Result) -> list[int]:
    return [json.loads(line)["sequence_number"] for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ((), range(21, 31)),
        (("-n", "3"), range(28, 31)),
        (("--lines", "100"), range(1, 31)),
        (("-n", "30"), range(1, 31)),
        (("-n", "0"), range(0)),
    ],
)
def test_the_last_events_are_shown(
    asm: Callable[..., Result], fill: Callable[..., Session], options: tuple[str, ...], shown: range
) -> None:
    session = fill(30)
    assert numbers(asm("tail", session.id, "--json", *options)) == list(shown)


def test_a_pipe_gets_names_and_a_line_an_event(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    header, *lines = asm("tail", fill(3).id, "-n", "2").stdout.splitlines()
    assert header == "number\ttime\ttype\trun\ttext"
    assert [line.split("\t")[-1] for line in lines] == ["line 2", "line 3"]


def test_of_a_type_the_last_ones_are_found_however_far_back(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(1)
    append(backend, session, "turn_completed", count=2)
    append(backend, session, "token_usage_updated", count=1500)
    assert numbers(asm("tail", session.id, "--json", "--type", "turn_completed", "-n", "2")) == [2, 3]
    assert numbers(asm("tail", session.id, "--json", "--type", "turn_completed", "--type", "message_streamed")) == [
        1,
        2,
        3,
    ]
    assert numbers(asm("tail", session.id, "--json", "--type", "run_failed")) == []


def test_gaps_that_pruning_left_do_not_count(asm: Callable[..., Result], backend: Backend) -> None:
    session = Session.new(agent_id="a")
    events = [Event.new(type="turn_completed", session_id=session.id).numbered(number) for number in (1, 5, 900, 2000)]
    backend.session_store.restore_session(session, (), events, last_sequence=4000)
    assert numbers(asm("tail", session.id, "--json", "-n", "3")) == [5, 900, 2000]


def test_following_a_session_that_has_ended_ends_at_once(
    asm: Callable[..., Result], fill: Callable[..., Session]
) -> None:
    session = fill(3, status="completed")
    assert numbers(asm("tail", session.id, "--follow", "--json", "-n", "2")) == [2, 3]


def test_following_ends_with_the_session(fill: Callable[..., Session], backend: Backend) -> None:
    session, seen = fill(1), []

    def follow() -> None:
        for event in follow_to_end(backend.session_store, session.id, 0, None):
            seen.append(event.sequence_number)
            if len(seen) in {1, 2}:
                first_seen.release()

    first_seen = threading.Semaphore(0)
    follower = threading.Thread(target=follow)
    follower.start()
    assert first_seen.acquire(timeout=60)
    append(backend, session, "turn_completed")
    assert first_seen.acquire(timeout=60)
    append(backend, session, "session_completed")
    follower.join(60)
    assert seen == [1, 2, 3]


def test_following_by_type_ends_with_the_session_too(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(2)
    append(backend, session, "session_failed")
    result = asm("tail", session.id, "-f", "--type", "message_streamed", "--json")
    assert numbers(result) == [1, 2]


def test_what_follows_the_last_event_is_shown_as_well(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(1)
    append(backend, session, "session_cancelled")
    append(backend, session, "turn_completed", count=2)
    assert numbers(asm("tail", session.id, "-f", "--json")) == [1, 2, 3, 4]


def test_a_session_that_ends_without_an_event_is_noticed(
    fill: Callable[..., Session], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, store = fill(1), backend.session_store
    get_session, asked = MemorySessionStore.get_session, []

    def end_meanwhile(self: SessionStore, session_id: str) -> Session:
        asked.append(session_id)
        if len(asked) == 2:
            store.save_session(session.with_status("completed"))
        return get_session(self, session_id)

    monkeypatch.setattr(MemorySessionStore, "get_session", end_meanwhile)
    assert [event.sequence_number for event in follow_to_end(store, session.id, 0, None)] == [1]


@pytest.mark.parametrize("lines", ["0", "2"])
def test_a_log_that_was_set_back_ends_following_with_an_error(
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    lines: str,
) -> None:
    session, store = fill(3), backend.session_store
    follow_events, calls = MemorySessionStore.follow_events, []

    def replace_meanwhile(self: SessionStore, session_id: str, **options: Any) -> Iterator[Event]:
        calls.append(options)
        if len(calls) == 2:
            store.delete_session(session.id)
            store.save_session(session)
            append(backend, session, "turn_completed", count=5)
        return follow_events(self, session_id, **{**options, "idle_timeout": 0.0})

    monkeypatch.setattr(MemorySessionStore, "follow_events", replace_meanwhile)
    result = asm("tail", session.id, "--follow", "--json", "-n", lines)
    assert result.exit_code == 1
    assert numbers(result) == [2, 3][: int(lines)]
    assert result.stderr.startswith(
        f"error: The log of session {session.id!r} was set back: it was read up to number 3"
    )


def test_an_unknown_type_is_an_error(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    result = asm("tail", fill().id, "--type", "odd")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: Unknown event type: 'odd'")


def test_a_negative_number_of_lines_is_wrong_usage(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    assert asm("tail", fill().id, "-n", "-1").exit_code == 2
