"""The saver against LangGraph's own in-memory saver, and what is more here."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from helpers import checkpoint_of, config_of, plain, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from langgraph_checkpoint_asm import AsmSaver

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    import asm_core as asm

IDS = st.integers(1, 6).map(lambda number: f"{number:04}")
PLACES = st.tuples(st.sampled_from(["t", "u"]), st.sampled_from(["", "sub:1"]))
CHANNELS = st.sampled_from(["a", "b", "__interrupt__", "__error__", "__resume__"])
PUT = st.tuples(st.just("put"), PLACES, IDS, st.none() | IDS, st.integers(0, 3))
PUT_WRITES = st.tuples(
    st.just("put_writes"),
    PLACES,
    IDS,
    st.lists(st.tuples(CHANNELS, st.integers(0, 9)), min_size=1, max_size=3, unique_by=lambda write: write[0]),
    st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["", "p", "q"])),
)
DELETE = st.tuples(st.just("delete_thread"), PLACES)
_threads = count()


def carry_out(saver: BaseCheckpointSaver[Any], step: Any, mark: str) -> None:
    name, (thread, ns), *rest = step
    thread = f"{mark}{thread}"
    if name == "delete_thread":
        saver.delete_thread(thread)
    elif name == "put":
        own, parent, value = rest
        checkpoint: Any = {**checkpoint_of({"v": value}, own), "ts": "fixed"}
        versions: Any = {"v": f"{own}.{value}"}
        checkpoint["channel_versions"] = versions
        saver.put(config_of(thread, ns, parent), checkpoint, {"source": "loop", "step": value}, versions)
    else:
        own, writes, task = rest
        saver.put_writes(config_of(thread, ns, own), writes, *task)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(PUT | PUT_WRITES | DELETE, max_size=20))
def test_answers_are_those_of_the_framework_s_own_saver(backend: asm.Backend, steps: list[Any]) -> None:
    mark = f"{next(_threads)}-"
    ours, theirs = AsmSaver(backend), InMemorySaver()
    for step in steps:
        carry_out(ours, step, mark)
        carry_out(theirs, step, mark)
    for thread in ("t", "u"):
        for ns in ("", "sub:1"):
            config = config_of(f"{mark}{thread}", ns)
            assert plain(ours.get_tuple(config)) == plain(theirs.get_tuple(config))
            for options in ({}, {"limit": 2}, {"filter": {"step": 1}}, {"before": config_of(checkpoint_id="0004")}):
                expected = [plain(one) for one in theirs.list(config, **options)]
                assert [plain(one) for one in ours.list(config, **options)] == expected
            for own in ("0001", "0003"):
                named = config_of(f"{mark}{thread}", ns, own)
                assert plain(ours.get_tuple(named)) == plain(theirs.get_tuple(named))


def test_another_saver_reads_what_one_wrote(backend: asm.Backend) -> None:
    for number in range(3):
        put(AsmSaver(backend), config_of(), {"n": number})
    found = AsmSaver(backend).get_tuple(config_of())
    assert found is not None
    assert found.checkpoint["channel_values"] == {"n": 2}


def test_a_thread_that_another_process_deleted_begins_again(backend: asm.Backend) -> None:
    one, other = AsmSaver(backend), AsmSaver(backend)
    put(one, config_of(), {"n": 1})
    other.delete_thread("t")
    put(one, config_of(), {"n": 2})
    assert [found.checkpoint["channel_values"] for found in other.list(config_of())] == [{"n": 2}]


def test_writes_of_parallel_tasks_are_all_kept(backend: asm.Backend) -> None:
    saver = AsmSaver(backend)
    stored = put(saver, config_of(), {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda task: saver.put_writes(stored, [("c", task)], f"{task:02}"), range(32)))
    found = saver.get_tuple(stored)
    assert found is not None
    assert found.pending_writes == [(f"{task:02}", "c", task) for task in range(32)]


def test_a_cancelled_write_is_whole(backend: asm.Backend) -> None:
    begun = threading.Event()

    class Slow(AsmSaver):
        def put(self, *args: Any) -> Any:
            begun.set()
            return super().put(*args)

    saver = Slow(backend)

    async def main() -> None:
        checkpoint = checkpoint_of({"messages": [HumanMessage("hello", id="1")]}, "0001")
        writing = asyncio.create_task(saver.aput(config_of(), checkpoint, {"source": "loop", "step": 1}, {}))
        assert await asyncio.to_thread(begun.wait, 10)
        writing.cancel()
        with suppress(asyncio.CancelledError):  # unless the write has ended already
            await writing
        found = await saver.aget_tuple(config_of())
        assert found is not None
        assert found.checkpoint == checkpoint

    asyncio.run(main())
    session = backend.query_api.search_sessions().items[0]
    assert [event.type for event in backend.session_store.get_events(session.id)] == [
        "message_sent",
        "langgraph.checkpoint",
    ]


def test_messages_become_events_once(backend: asm.Backend) -> None:
    usage: Any = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    messages: list[Any] = [
        HumanMessage("weather?", id="1"),
        AIMessage("", id="2", tool_calls=[{"name": "weather", "args": {}, "id": "c"}], usage_metadata=usage),
        ToolMessage("rain", name="weather", tool_call_id="c", id="3", status="error"),
        AIMessage("It failed.", id="4"),
        RemoveMessage(id="1"),
    ]
    for _ in range(2):
        saver = AsmSaver(backend)
        for end in range(1, 6):
            put(saver, config_of(), {"messages": messages[:end]})
    session = backend.query_api.search_sessions().items[0]
    events = backend.session_store.get_events(session.id)
    assert [(event.type, event.data) for event in events if not event.type.startswith("langgraph.")] == [
        ("message_sent", {"role": "user", "content": "weather?"}),
        ("tool_call_started", {"tool_call_id": "c", "tool_name": "weather", "tool_input": {}}),
        (
            "token_usage_updated",
            {"usage": {"input_tokens": 5, "output_tokens": 2}, "model": None, "response_id": "2"},
        ),
        ("tool_call_failed", {"tool_call_id": "c", "tool_name": "weather", "error": "rain"}),
        ("message_received", {"role": "assistant", "content": "It failed."}),
    ]
    assert backend.query_api.get_usage_summary().total_tokens == 7


def test_pruned_messages_do_not_come_back(backend: asm.Backend) -> None:
    put(AsmSaver(backend), config_of(), {"messages": [HumanMessage("old", id="1")]})
    session = backend.query_api.search_sessions().items[0]
    backend.session_store.delete_events(session.id, type="message_sent")
    put(AsmSaver(backend), config_of(), {"messages": [HumanMessage("old", id="1"), HumanMessage("new", id="2")]})
    sent = backend.session_store.get_events(session.id, type="message_sent")
    assert [event.data["content"] for event in sent] == ["new"]


def test_a_copy_is_complete_and_its_usage_counts_once(backend: asm.Backend) -> None:
    saver = AsmSaver(backend)
    usage: Any = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    stored = put(saver, config_of(), {"messages": [AIMessage("hi", id="1", usage_metadata=usage)]}, run_id="r")
    saver.put_writes(stored, [("c", 1)], "task")
    put(saver, config_of(ns="sub:1"), {"n": 1})
    saver.copy_thread("t", "u")
    for ns in ("", "sub:1"):
        one, other = (saver.get_tuple(config_of(thread, ns)) for thread in ("t", "u"))
        assert one is not None
        assert other is not None
        assert (one.checkpoint, one.pending_writes) == (other.checkpoint, other.pending_writes)
    put(saver, other.config, {"n": 2})
    saver.delete_for_runs(["r"])
    assert [found.config["configurable"]["thread_id"] for found in saver.list(None)] == ["u", "u", "t"]
    assert backend.query_api.get_usage_summary().total_tokens == 7


def test_a_session_has_the_thread_s_user(backend: asm.Backend) -> None:
    config = config_of()
    config["configurable"]["user_id"] = "user-1"
    put(AsmSaver(backend, agent_id="helper"), config, {})
    [session] = backend.query_api.search_sessions(agent_id="helper", user_id="user-1").items
    assert session.metadata == {"langgraph": {"thread_id": "t"}}


def test_unknown_pruning_strategies_are_refused(backend: asm.Backend) -> None:
    with pytest.raises(ValueError, match="keep_latest, delete"):
        AsmSaver(backend).prune(["t"], strategy="all")
