"""``asm show``, and sessions found by the beginning of their id."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from asm_core.cli.output.history.events import events_between
from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.models import Artifact, Event, Session
from asm_core.querying.accounting.summaries import SessionExport

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from asm_core.ports import Backend


def test_a_pipe_gets_facts_and_then_a_line_an_event(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    session = fill(2, tags=["a", "b"], metadata={"k": "v w"})
    facts, events = asm("show", session.id).stdout.split("\n\n")
    assert f"session\t{session.id}\nagent\tagent\nstatus\tactive\n" in facts
    assert 'tags\ta b\nmetadata\t{"k":"v w"}\nruns\t1 pending\nevents\t2' in facts
    header, first, second = (line.split("\t") for line in events.splitlines())
    assert header == ["number", "time", "type", "run", "text"]
    assert (first[0], first[2], first[4]) == ("1", "message_streamed", "line 1")
    assert (second[0], second[2], second[4]) == ("2", "message_streamed", "line 2")


def test_json_is_one_object_with_all_that_is_stored(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(3)
    artifact = {"byte_size": 1, "checksum_sha256": "0" * 64, "storage_backend": "file", "storage_ref": "/x"}
    backend.artifact_registry.register(Artifact.new(key="k", session_id=session.id, **artifact))
    found = json.loads(asm("show", session.id, "--json").stdout)
    stats = found.pop("stats")
    assert (stats["event_count"], stats["runs_by_status"]) == (3, {"pending": 1})
    wanted = backend.query_api.export_session(session.id, include_artifacts=True)
    assert SessionExport.from_dict(found) == wanted


def test_a_session_that_grows_faster_than_it_is_shown_is_shown_up_to_where_it_was(
    fill: Callable[..., Session], backend: Backend
) -> None:
    session, store, shown = fill(2), backend.session_store, []
    for event in events_between(store, session.id, 0, 2):
        shown.append(event.sequence_number)
        store.append_event(Event.new(type="turn_completed", session_id=session.id))
    assert shown == [1, 2]


def test_a_session_without_anything_is_shown_too(asm: Callable[..., Result], backend: Backend) -> None:
    session = backend.session_store.save_session(Session.new(agent_id="a", parent_session_id="ses_parent"))
    assert "runs\t0\nevents\t0\n" in asm("show", session.id).stdout
    found = json.loads(asm("show", session.id, "--json").stdout)
    assert (found["runs"], found["events"], found["artifacts"]) == ([], [], [])


def test_nothing_is_cut_in_a_pipe(asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend) -> None:
    session = fill(0)
    text = "x" * 100_000
    backend.session_store.append_event(Event.new(type="message_streamed", session_id=session.id, data={"text": text}))
    assert text in asm("show", session.id).stdout


def test_recorded_text_cannot_command_the_terminal_or_break_a_line(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(0, tags=["\x1b[31m"])
    data = {"text": "a\x1b[2J\r\n\tb\x9b\0", "key\x07": "\u202e"}
    backend.session_store.append_event(Event.new(type="error_occurred", session_id=session.id, data=data))
    shown = asm("show", session.id).stdout
    assert shown.endswith("\ta\\x1b[2J\\r\\n\\tb\\x9b\\x00 key\\x07=\\u202e\n")
    assert "tags\t\\x1b[31m\n" in shown
    written = asm("show", session.id, "--json").stdout
    assert not set(shown + written) & set("\x1b\x9b\0\x07\u202e\r")
    assert json.loads(written)["events"][0]["data"] == data


def test_the_beginning_of_an_id_is_enough(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    session = fill()
    for length in (10, 16, 20, 35):
        assert json.loads(asm("show", session.id[:length], "--json").stdout)["session"]["id"] == session.id


def test_a_beginning_that_several_ids_have_lists_them(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    ids = [fill(0, id=f"build-{number}").id for number in range(3)]
    fill(0, id="other")
    result = asm("show", "build")
    assert (result.exit_code, result.stdout) == (1, "")
    assert all(session_id in result.stderr for session_id in ids)
    assert "other" not in result.stderr


def test_ids_with_a_common_prefix_are_found_at_any_time(
    asm: Callable[..., Result], fill: Callable[..., Session]
) -> None:
    fill(0, id="ses_019a0", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    fill(0, id="ses_019a1")
    assert "ses_019a0" in asm("show", "ses_019a").stderr
    assert "ses_019a0" in asm("show", "ses_019a0").stdout


def test_no_more_than_ten_candidates_are_listed(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    for number in range(30):
        fill(0, id=f"build-{number}")
    assert asm("show", "build").stderr.count("build-") == 10


def test_an_exact_id_is_found_even_if_others_begin_with_it(
    asm: Callable[..., Result], fill: Callable[..., Session]
) -> None:
    fill(0, id="build-10")
    fill(0, id="build-1")
    assert "session\tbuild-1\n" in asm("show", "build-1").stdout


def test_a_beginning_with_the_time_is_looked_up_by_it(
    asm: Callable[..., Result], fill: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = fill()
    windows = []
    search = MemoryQueryAPI.search_sessions

    def watch(self: MemoryQueryAPI, **arguments: object) -> object:
        windows.append("created_after" in arguments and "created_before" in arguments)
        return search(self, **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryQueryAPI, "search_sessions", watch)
    assert asm("show", session.id[:20]).exit_code == 0
    assert windows == [True]


@pytest.mark.parametrize("name", ["ses_unknown", "ses_ffffffffffffff", "ses_1", "x\x1b[31m"])
def test_an_unknown_session_raises_with_advice(
    asm: Callable[..., Result], fill: Callable[..., Session], name: str
) -> None:
    fill()
    result = asm("show", name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: No session id begins or ends with ")
    assert "\x1b" not in result.stderr


def test_an_empty_name_is_refused(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    fill()
    assert asm("show", "").exit_code == 1


def test_deleted_sessions_can_be_shown(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill()
    deleted = Session.from_dict({**session.to_dict(), "deleted_at": "2026-01-01T00:00:00Z"})
    backend.session_store.restore_session(deleted, replace=True)
    assert "deleted\t2026-01-01 00:00:00.000Z\n" in asm("show", session.id[:-4]).stdout


def test_a_custom_type_is_shown_and_followed(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(1)
    backend.session_store.append_event(Event.new(type="acme.thinking", session_id=session.id, data={"text": "hm"}))
    assert "\tacme.thinking\t" in asm("show", session.id).stdout
    assert asm("tail", session.id, "--type", "acme.thinking").stdout.count("acme.thinking") == 1
