from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ScriptedProvider, log, only_session, says, types

from asm_core import ProviderResult, SessionStore, ValidationError
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from asm_core import Emit, Event, Run, Session

WHOLE = [
    "session_created",
    "session_started",
    "run_started",
    "message_sent",
    "message_streamed",
    "run_completed",
    "session_completed",
]


def test_records_everything_in_order(store: SessionStore) -> None:
    SessionManager(store, ScriptedProvider(says("hello"))).run_once({"ask": "x"})
    assert types(log(store)) == WHOLE


def test_numbers_are_those_of_the_log(store: SessionStore) -> None:
    SessionManager(store, ScriptedProvider(says("hello"))).run_once({})
    assert [event.sequence_number for event in log(store)] == list(range(1, 8))


def test_returns_what_the_provider_did(store: SessionStore) -> None:
    result = ProviderResult(output={"answer": 42}, token_usage={"input_tokens": 3}, provider_metadata={"model": "m"})
    run_result = SessionManager(store, ScriptedProvider(lambda *_: result)).run_once({"ask": "x"})
    assert (run_result.output, run_result.token_usage) == ({"answer": 42}, {"input_tokens": 3})


def test_stores_the_final_state_of_the_run(store: SessionStore) -> None:
    result = ProviderResult(output={"answer": 42}, token_usage={"input_tokens": 3}, provider_metadata={"model": "m"})
    run_result = SessionManager(store, ScriptedProvider(lambda *_: result)).run_once({"ask": "x"})
    run = store.get_run(run_result.run_id)
    assert (run.status, run.input, run.output) == ("completed", {"ask": "x"}, {"answer": 42})
    assert (run.token_usage, run.model, run.provider) == ({"input_tokens": 3}, "m", "scripted")
    assert run.ended_at is not None


def test_stores_the_session_as_it_was_asked_for(store: SessionStore) -> None:
    manager = SessionManager(store, ScriptedProvider())
    manager.run_once({}, agent_id="a", metadata={"k": 1}, context={"c": 2}, tags=["t"], user_id="u")
    session = only_session(store)
    assert (session.agent_id, session.context, session.tags, session.user_id) == ("a", {"c": 2}, ("t",), "u")
    assert (session.metadata["k"], session.status) == (1, "completed")


def test_the_agent_is_the_provider_unless_named(store: SessionStore) -> None:
    SessionManager(store, ScriptedProvider()).run_once({})
    assert only_session(store).agent_id == "scripted"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("hello", [{"role": "user", "content": "hello"}]),
        ({"prompt": "hello"}, [{"role": "user", "content": "hello"}]),
        (
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}],
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}],
        ),
        ({"ask": ["x"]}, [{"role": "user", "content": '{"ask":["x"]}'}]),
        ({"messages": ["hello"]}, [{"content": "hello"}]),
    ],
)
def test_each_message_of_the_input_is_sent(store: SessionStore, given: Any, sent: list[Any]) -> None:
    SessionManager(store, ScriptedProvider()).run_once(given)
    assert [event.data for event in log(store) if event.type == "message_sent"] == sent


def test_a_message_of_another_shape_is_kept_with_a_warning(store: SessionStore) -> None:
    SessionManager(store, ScriptedProvider()).run_once({"messages": [{"role": 7, "content": "hello"}]})
    event = log(store)[3]
    assert event.data == {"role": 7, "content": "hello"}
    assert event.metadata == {"asm_warnings": ["data['role'] must be a text, not 7."]}


def test_events_of_the_run_name_it_and_its_provider(store: SessionStore) -> None:
    result = SessionManager(store, ScriptedProvider(says("hello"))).run_once({})
    named = [(event.run_id, event.provider) for event in log(store)]
    assert named == [(None, None)] * 2 + [(result.run_id, "scripted")] * 4 + [(None, None)]


def test_on_event_gets_each_event_as_stored_in_order(store: SessionStore) -> None:
    seen = []
    SessionManager(store, ScriptedProvider(says(*"abc"))).run_once({}, on_event=seen.append)
    assert seen == log(store)


def test_on_event_comes_after_the_commit(store: SessionStore) -> None:
    missing = []

    def check(event: Event) -> None:
        if event not in store.get_events(event.session_id):
            missing.append(event)

    SessionManager(store, ScriptedProvider(says(*"abc"))).run_once({}, on_event=check)
    assert missing == []


def test_the_provider_sees_an_active_session_and_a_running_run(store: SessionStore) -> None:
    seen = []

    def script(_provider: Any, run: Run, session: Session, _emit: Emit) -> None:
        seen.append((store.get_run(run.id), store.get_session(session.id)))
        assert seen == [(run, session)]

    SessionManager(store, ScriptedProvider(script)).run_once({})
    assert [(run.status, session.status) for run, session in seen] == [("running", "active")]


def test_events_can_be_read_again_and_again(store: SessionStore) -> None:
    events = SessionManager(store, ScriptedProvider(says(*map(str, range(1_200))))).run_once({}).events
    assert list(events) == list(events) == log(store)


def test_events_are_read_page_by_page(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    events = SessionManager(store, ScriptedProvider(says(*map(str, range(1_200))))).run_once({}).events
    sizes = []
    find = store.reader.find_events
    monkeypatch.setattr(store.reader, "find_events", lambda query: [find(query), sizes.append(query.limit)][0])
    list(itertools.islice(events, 3))
    assert sizes == [200]


def test_tags_set_during_the_run_stay(store: SessionStore) -> None:
    def script(_provider: Any, _run: Run, session: Session, _emit: Emit) -> None:
        store.save_session(session.with_tags(["late"]))

    SessionManager(store, ScriptedProvider(script)).run_once({})
    assert (only_session(store).tags, only_session(store).status) == (("late",), "completed")


def test_a_session_paused_during_the_run_stays_paused(store: SessionStore) -> None:
    def script(_provider: Any, _run: Run, session: Session, _emit: Emit) -> None:
        manager.pause_session(session.id)

    manager = SessionManager(store, ScriptedProvider(script))
    manager.run_once({})
    assert only_session(store).status == "paused"
    assert types(log(store))[-1] == "run_completed"


def test_the_key_of_the_stamp_cannot_be_given(store: SessionStore) -> None:
    with pytest.raises(ValidationError, match="'asm'"):
        SessionManager(store, ScriptedProvider()).run_once({}, metadata={"asm": 1})
    assert store.list_sessions() == []


@pytest.mark.parametrize("wrong", [{"agent_id": ""}, {"tags": "t"}, {"timeout": -1}, {"context": []}])
def test_wrong_arguments_record_nothing(store: SessionStore, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SessionManager(store, ScriptedProvider()).run_once({}, **wrong)
    assert store.list_sessions() == []


def test_changes_of_state_are_stored_with_their_events(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    flush = store._flush
    monkeypatch.setattr(store, "_flush", lambda *args: [flushed.append(args), flush(*args)][1])
    SessionManager(store, ScriptedProvider(says("hello"))).run_once({})
    found = [(session.status, run.status, types(events)) for session, run, events, _ in flushed]
    assert found == [("active", "running", WHOLE[:4]), ("completed", "completed", WHOLE[5:])]
