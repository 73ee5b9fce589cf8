"""Runs of one session: history, order, retries, streams and cancellation from anywhere."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ENOUGH, ScriptedProvider, types, waits
from processes import Process

import asm_core as asm
from asm_core import SessionManager
from asm_core.ports import ProviderCapability
from asm_core.recording.execution.options import ManagerOptions
from asm_core.recording.lifecycle.process_identity import make_stamp
from asm_core.testing import FakeProvider, FakeTurn
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from pathlib import Path

    from asm_core import SessionStore

SLOW = FakeTurn(text="one two three four", delay=20)
LIMITED = asm.ProviderRateLimitedError("Slow down.")


def begun(manager: SessionManager) -> str:
    return manager.start_session().id


def texts(messages: Any) -> list[str]:
    return [message.text for message in messages]


def running(store: SessionStore, session_id: str) -> asm.Run:
    """Wait for the first words of a run, and return it."""
    (event,) = store.get_events(session_id, type="run_started", limit=1, wait_timeout=ENOUGH)
    assert event.run_id is not None
    return store.get_run(event.run_id)


# -- history


@pytest.mark.parametrize(
    ("continuation", "seen"), [("auto", ["I am Ann.", "Hi!", "Who?"]), ("replay", ["I am Ann.", "Hi!", "Who?"])]
)
def test_the_next_run_gets_the_conversation(store: SessionStore, continuation: Any, seen: list[str]) -> None:
    provider = FakeProvider(["Hi!", "Ann."])
    manager = SessionManager(store, provider)
    session_id = begun(manager)
    manager.run(session_id, "I am Ann.")
    manager.run(session_id, "Who?", continuation=continuation)
    assert texts(provider.requests[1]) == seen
    assert store.get_session(session_id).status == "active"


class Remembers(FakeProvider):
    capabilities = frozenset({*FakeProvider.capabilities, ProviderCapability.CONTINUATION})


@pytest.mark.parametrize(("kind", "continuation"), [(FakeProvider, False), (Remembers, "auto")])
def test_a_run_may_begin_without_history(store: SessionStore, kind: Any, continuation: Any) -> None:
    provider = kind(["Hi!", "Ann."])
    manager = SessionManager(store, provider)
    session_id = begun(manager)
    manager.run(session_id, "I am Ann.")
    manager.run(session_id, "Who?", continuation=continuation)
    assert texts(provider.requests[1]) == ["Who?"]


def test_history_has_the_limits_of_the_manager(store: SessionStore) -> None:
    provider = FakeProvider(["Hi!", "Ann."])
    manager = SessionManager(store, provider, max_history_messages=2)
    session_id = begun(manager)
    manager.run(session_id, "I am Ann.")
    manager.run(session_id, "Who?")
    assert texts(provider.requests[1]) == ["Hi!", "Who?"]


def test_an_unknown_continuation_is_refused(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider([]))
    with pytest.raises(asm.ValidationError, match="continuation must be"):
        manager.run(begun(manager), "?", continuation=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", ["pause_session", "complete_session", "cancel_session"])
def test_only_an_active_session_executes_runs(store: SessionStore, step: str) -> None:
    manager = SessionManager(store, FakeProvider(["Hi!"]))
    session_id = manager.activate_session(begun(manager)).id
    getattr(manager, step)(session_id)
    with pytest.raises(asm.InvalidTransitionError, match="Activate it"):
        manager.run(session_id, "?")
    assert store.list_runs(session_id) == []


def test_a_paused_session_is_resumed(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider(["Hi!"]))
    session_id = manager.activate_session(begun(manager)).id
    manager.pause_session(session_id)
    assert manager.resume_session(session_id).status == "active"
    assert types(store.get_events(session_id))[-2:] == ["session_paused", "session_resumed"]
    assert manager.run(session_id, "?").output["content"] == "Hi!"


# -- order


def test_a_session_executes_one_run_at_a_time(store: SessionStore) -> None:
    first, second = (SessionManager(store, FakeProvider([SLOW, "?"])) for _ in range(2))
    session_id = begun(first)
    with first.stream(session_id, "Count."):
        run = running(store, session_id)
        for manager in (first, second):
            with pytest.raises(asm.BusyError, match="executes") as caught:
                manager.run(session_id, "?")
            assert caught.value.details["run_id"] == run.id
    assert len(store.list_runs(session_id)) == 1


def test_a_run_waits_for_its_turn(store: SessionStore) -> None:
    managers = [SessionManager(store, FakeProvider(["Hi!"] * 4), queue_timeout=ENOUGH) for _ in range(2)]
    session_id = begun(managers[0])
    with ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(managers[place % 2].run, session_id, str(place)) for place in range(8)]
    assert [outcome.result().output["content"] for outcome in outcomes] == ["Hi!"] * 8
    marks = [kind for kind in types(store.get_events(session_id)) if kind in ("run_started", "run_completed")]
    assert marks == ["run_started", "run_completed"] * 8


def test_a_waiter_goes_on_after_the_run_of_a_killed_process(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider(["Hi!"]), queue_timeout=ENOUGH)
    session_id = manager.activate_session(begun(manager)).id
    stamp = {**make_stamp(), "boot": "the one before"}
    store.save_run(asm.Run.new(session_id=session_id, status="running", metadata={"asm": stamp}))
    assert manager.run(session_id, "?").output["content"] == "Hi!"


def test_parallel_runs_may_be_allowed(store: SessionStore) -> None:
    slow, quick = (SessionManager(store, FakeProvider([turn]), parallel_runs=True) for turn in (SLOW, "Hi!"))
    session_id = begun(slow)
    with slow.stream(session_id, "Count."):
        running(store, session_id)
        assert quick.run(session_id, "?").output["content"] == "Hi!"


def test_a_manager_has_a_limit_of_runs(store: SessionStore) -> None:
    manager = SessionManager(store, ScriptedProvider(waits), max_runs=1)
    session_id = begun(manager)
    with manager.stream(session_id, {}):
        running(store, session_id)
        with pytest.raises(asm.BusyError, match="its limit max_runs"):
            manager.run_once({})


# -- retries


def test_a_retryable_error_is_tried_again_and_each_try_is_in_the_log(store: SessionStore) -> None:
    provider = FakeProvider([FakeTurn(text="void", error=LIMITED), LIMITED, "Hi!"])
    manager = SessionManager(store, provider, retry=asm.RetryPolicy(attempts=3, initial=0))
    result = manager.run_once("?")
    tries = [event.data for event in result.events if event.type in ("error_occurred", "error_recovered")]
    assert [data.get("attempt") for data in tries] == [1, 2, None]
    assert [data.get("error", {}).get("code") for data in tries[:2]] == ["provider_rate_limited"] * 2
    assert tries[2] == {"attempts": 3}
    assert texts(asm.read_messages(store, result.session_id)) == ["?", "Hi!"]


@pytest.mark.parametrize("error", [LIMITED, asm.ProviderAuthenticationError("Wrong key.")])
def test_an_error_that_stays_ends_the_run(store: SessionStore, error: asm.ProviderError) -> None:
    retry = asm.RetryPolicy(attempts=2, initial=0)
    with pytest.raises(type(error)) as caught:
        SessionManager(store, FakeProvider([error] * 3), retry=retry).run_once("?")
    run = store.get_run(caught.value.details["run_id"])
    assert run.error is not None
    assert (run.status, run.error["code"]) == ("failed", error.code)


def test_a_run_is_cancelled_while_it_waits_for_the_next_try(store: SessionStore) -> None:
    provider = FakeProvider([asm.ProviderRateLimitedError(details={"retry_after": 3600})])
    manager = SessionManager(store, provider, retry=asm.RetryPolicy())
    session_id = begun(manager)
    with manager.stream(session_id, "?") as stream:
        assert any(event.type == "error_occurred" for event in stream)
    assert types(store.get_events(session_id))[-1] == "run_cancelled"


def test_another_try_goes_on_after_the_tools_that_were_called(store: SessionStore) -> None:
    calls: list[int] = []

    def append(n: int) -> None:
        calls.append(n)

    turns = [FakeTurn(tool_calls=[("note", {"n": 1})]), LIMITED, "Done."]
    manager = SessionManager(
        store,
        FakeProvider(turns, tools={"note": append}),
        retry=asm.RetryPolicy(attempts=2, initial=0),
    )
    assert manager.run_once("?").output["content"] == "Done."
    assert calls == [1]


def test_what_a_manager_records_itself_is_recorded_once(store: SessionStore) -> None:
    def script(_provider: Any, _run: Any, _session: Any, emit: asm.Emit) -> None:
        emit("run_started", {})
        emit("run_failed", {})

    result = SessionManager(store, ScriptedProvider(script)).run_once({})
    assert [kind for kind in types(result.events) if kind.startswith("run_")] == ["run_started", "run_completed"]


# -- streams


def test_a_stream_yields_the_events_of_its_run_and_the_result(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider(["Hi Ann!"]))
    stream = manager.stream(begun(manager), "I am Ann.")
    events = list(stream)
    assert events == list(stream.result.events)
    assert "".join(event.data["delta"] for event in events if event.type == "message_streamed") == "Hi Ann!"


def test_a_stream_raises_the_error_of_its_run_at_its_end(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider([FakeTurn(text="well", error=LIMITED)]))
    stream, seen = manager.stream(begun(manager), "?"), []
    with pytest.raises(asm.ProviderRateLimitedError):
        seen.extend(event.type for event in stream)
    assert seen == ["run_started", "message_sent", "message_streamed", "run_failed"]
    with pytest.raises(asm.ProviderRateLimitedError):
        _ = stream.result


@pytest.mark.parametrize("leave", ["close", "forget"])
def test_a_stream_that_is_left_cancels_its_run(store: SessionStore, leave: str) -> None:
    manager = SessionManager(store, FakeProvider([SLOW]))
    session_id = begun(manager)
    if leave == "close":
        with manager.stream(session_id, "Count.") as stream:
            next(stream)
    else:
        for _ in manager.stream(session_id, "Count."):
            break
    assert store.get_events(session_id, type="run_cancelled", wait_timeout=ENOUGH)


def test_a_stream_has_no_result_before_its_end(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider([SLOW]))
    with manager.stream(begun(manager), "?") as stream, pytest.raises(asm.ProviderError, match="has not ended"):
        _ = stream.result


def test_a_slow_consumer_slows_the_run_down(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider(["word " * 30_000]))
    session_id = begun(manager)
    with manager.stream(session_id, "?") as stream:
        next(stream)
        last = -1
        while (now := store.get_latest_sequence(session_id)) > last:  # until it grows no more
            last = now
            time.sleep(0.3)
        assert last < 25_000


# -- cancellation from elsewhere

EXECUTES = """
import sys
import asm_core as asm
from asm_core.testing import FakeProvider, FakeTurn

with asm.open_backend("sqlmodel", url=sys.argv[1]) as backend:
    manager = asm.SessionManager(backend.session_store, FakeProvider([FakeTurn(text="one two three", delay=2)]))
    try:
        manager.run(sys.argv[2], "Count.")
    except asm.ProviderError as error:
        print(error.code, error.details.get("cancelled"))
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    """Return a store, a session whose run another process executes, and that process."""
    url = f"sqlite:///{tmp_path}/shared.db"
    with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
        session = SessionManager(backend.session_store, FakeProvider([])).start_session()
        with Process([sys.executable, "-c", EXECUTES, url, session.id], stdout=subprocess.PIPE, text=True) as process:
            yield backend.session_store, session.id, process
            process.kill()


@pytest.mark.parametrize("method", ["cancel_run", "cancel_session"])
def test_any_process_cancels_a_run_and_its_executor_records_the_one_end(elsewhere: Any, method: str) -> None:
    store, session_id, process = elsewhere
    run = running(store, session_id)
    manager = SessionManager(store, FakeProvider([]))
    getattr(manager, method)(run.id if method == "cancel_run" else session_id)
    assert process.communicate(timeout=ENOUGH)[0] == "provider_error True\n"
    kinds = types(store.get_events(session_id))
    assert kinds.count("asm.cancel_requested") == kinds.count("run_cancelled") == 1
    assert store.get_run(run.id).status == "cancelled"


def test_a_request_is_seen_within_a_tenth_of_a_second_and_a_repeat_is_no_second_one(store: SessionStore) -> None:
    executor, other = (SessionManager(store, FakeProvider([SLOW])) for _ in range(2))
    session_id = begun(executor)
    waited = []
    with executor.stream(session_id, "Count.") as stream:
        run = running(store, session_id)
        began = time.perf_counter()
        for _ in range(2):
            other.cancel_run(run.id)
        with pytest.raises(asm.ProviderError, match="another process or manager"):
            list(stream)
        waited.append(time.perf_counter() - began)
    assert types(store.get_events(session_id)).count("asm.cancel_requested") == 1
    assert min(waited) < ENOUGH


def test_the_next_turn_follows_what_a_killed_process_had_streamed(elsewhere: Any) -> None:
    store, session_id, process = elsewhere
    assert store.get_events(session_id, type="message_streamed", wait_timeout=ENOUGH)
    process.kill()
    process.wait(ENOUGH)
    provider = FakeProvider(["Hi!"])
    SessionManager(store, provider).run(session_id, "Are you there?")
    assert texts(provider.requests[0]) == ["Count.", "one ", "Are you there?"]
    assert [run.status for run in store.list_runs(session_id)] == ["failed", "completed"]


# -- leases


def foreign(session_id: str, *, lease: timedelta) -> asm.Run:
    stamp = {**make_stamp(), "host": "elsewhere"}
    metadata = {"asm": stamp, "asm_lease": (utc_now() + lease).isoformat()}
    return asm.Run.new(session_id=session_id, status="running", metadata=metadata)


@pytest.mark.parametrize(("minutes", "closes"), [(-1, True), (1, False)])
def test_a_run_of_another_machine_is_abandoned_once_its_lease_has_ended(
    store: SessionStore,
    minutes: int,
    closes: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    manager = SessionManager(store, FakeProvider([]))
    session_id = manager.activate_session(begun(manager)).id
    run = store.save_run(foreign(session_id, lease=timedelta(minutes=minutes)))
    assert asm.close_abandoned(store) == ([run.id] if closes else [])
    assert store.get_run(run.id).status == ("failed" if closes else "running")


def test_the_session_of_run_once_is_closed_with_its_run(store: SessionStore) -> None:
    stamp = {**make_stamp(), "host": "elsewhere"}
    session = store.save_session(asm.Session.new(agent_id="a", status="active", metadata={"asm": stamp}))
    store.save_run(foreign(session.id, lease=timedelta(minutes=-1)))
    assert asm.close_abandoned(store) == [session.id]
    assert store.get_session(session.id).status == "failed"


def test_a_lease_is_renewed_while_the_run_executes(store: SessionStore) -> None:
    manager = SessionManager(store, FakeProvider([SLOW]), lease=1)
    session_id = begun(manager)
    with manager.stream(session_id, "Count."):
        run = running(store, session_id)
        deadline = time.monotonic() + ENOUGH
        while store.get_run(run.id).metadata["asm_lease"] == run.metadata["asm_lease"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)


# -- options


@pytest.mark.parametrize(
    "options",
    [{"lease": 0}, {"max_runs": 0}, {"queue_timeout": -1}, {"retry": 3}, {"max_history_messages": -1}],
    ids=lambda options: next(iter(options)),
)
def test_an_option_that_makes_no_sense_is_refused(store: SessionStore, options: dict[str, Any]) -> None:
    with pytest.raises(asm.ValidationError):
        SessionManager(store, FakeProvider([]), **options)


def test_the_options_are_typed_for_those_that_pass_them_on() -> None:
    signature = inspect.signature(SessionManager)
    named = {name: found.annotation for name, found in signature.parameters.items() if found.kind is found.KEYWORD_ONLY}
    typed = {name: hint.__forward_arg__ for name, hint in ManagerOptions.__annotations__.items()}
    assert typed == named


def test_no_thread_is_left_after_a_run(store: SessionStore) -> None:
    before = set(threading.enumerate())
    manager = SessionManager(store, FakeProvider(["Hi!"]))
    list(manager.stream(begun(manager), "?"))
    deadline = time.monotonic() + ENOUGH
    while {thread for thread in threading.enumerate() if thread.name.startswith("asm-")} - before - watchers():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def watchers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "asm-watcher"}
