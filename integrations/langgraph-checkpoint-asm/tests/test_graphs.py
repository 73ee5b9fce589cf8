"""Real graphs, in real processes."""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bare import PYTHON
from graphs import agent, steps
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from langgraph_checkpoint_asm import AsmSaver

if TYPE_CHECKING:
    import asm_core

LIMIT = 60
PROGRAM = str(Path(__file__).with_name("graphs.py"))


def run_program(*args: str) -> list[str]:
    command = [PYTHON, PROGRAM, *args]
    return subprocess.check_output(command, text=True, timeout=LIMIT, stderr=subprocess.PIPE).splitlines()


def test_a_second_process_continues_the_conversation(backend: asm_core.Backend, store_url: str) -> None:
    config: Any = {"configurable": {"thread_id": "t"}}
    first = agent(AsmSaver(backend)).invoke({"messages": [("user", "hello")]}, config)["messages"]
    assert [message.text for message in first] == ["hello", "1: hello"]
    assert run_program("agent", store_url, "t", "weather?") == [
        "human=hello",
        "ai=1: hello",
        "human=weather?",
        "ai=",
        "tool=sunny",
        "ai=5: sunny",
    ]
    usage = backend.query_api.get_usage_summary()
    assert (usage.run_count, usage.input_tokens, usage.cache_read_tokens) == (2, 30, 12)
    assert [(row.provider, row.model) for row in usage.rows] == [("scripted", "scripted-1")]


def test_a_graph_resumes_after_kill(backend: asm_core.Backend, store_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    saver = AsmSaver(backend)
    process = subprocess.Popen([PYTHON, PROGRAM, "blocking", store_url, "t", str(log)])
    try:
        deadline = time.monotonic() + LIMIT
        while not is_fast_stored(saver) or "slow" not in log.read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait(LIMIT)
    config: Any = {"configurable": {"thread_id": "t"}}
    assert steps(saver, log, blocks=False).invoke(None, config)["ran"] == ["first", "fast", "slow", "last"]
    ran = log.read_text().split()
    assert (ran.count("first"), ran.count("fast"), ran.count("slow"), ran.count("last")) == (1, 1, 2, 1)


def is_fast_stored(saver: AsmSaver) -> bool:
    found = saver.get_tuple({"configurable": {"thread_id": "t"}})
    return found is not None and any(write[2] == ["fast"] for write in found.pending_writes or [])


def test_interrupts_and_time_travel_are_those_of_the_framework(backend: asm_core.Backend) -> None:
    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [("ai", f"{len(state['messages'])} {interrupt('which?')}")]}

    def outcome(saver: Any) -> Any:
        builder = StateGraph(MessagesState)
        builder.add_node("ask", ask)
        builder.add_edge(START, "ask")
        graph = builder.compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "t"}}
        asked = graph.invoke({"messages": ["hi"]}, config)["__interrupt__"][0].value
        before = graph.get_state(config).config
        results = [graph.invoke(Command(resume="one"), config), graph.invoke(Command(resume="two"), before)]
        forked = graph.update_state(before, {"messages": [("user", "edited")]})
        results += [graph.invoke(None, forked), graph.get_state(config).values]
        history = [
            (one.metadata["source"], one.next, len(one.values["messages"])) for one in graph.get_state_history(config)
        ]
        return asked, [[message.text for message in one["messages"]] for one in results], history

    assert outcome(AsmSaver(backend)) == outcome(InMemorySaver())


def test_an_asynchronous_graph_with_a_subgraph_keeps_its_state(backend: asm_core.Backend) -> None:
    async def main() -> None:
        saver = AsmSaver(backend)
        builder = StateGraph(MessagesState)
        builder.add_node("inner", agent(True))  # noqa: FBT003  the parent's checkpointer
        builder.add_edge(START, "inner")
        graph = builder.compile(checkpointer=saver)
        for text in ("hello", "weather?"):
            config: Any = {"configurable": {"thread_id": "t"}}
            found = await graph.ainvoke({"messages": [("user", text)]}, config)
        assert [one.type for one in found["messages"]] == ["human", "ai", "human", "ai", "tool", "ai"]
        found_ns = {one.config["configurable"]["checkpoint_ns"] async for one in saver.alist(None)}
        assert len(found_ns) == 2
        await saver.aclose()

    asyncio.run(main())
    session = backend.query_api.search_sessions().items[0]
    kinds = [event.type for event in backend.session_store.get_events(session.id)]
    assert kinds.count("message_sent") == 2
    assert kinds.count("message_received") == 2
    assert (kinds.count("tool_call_started"), kinds.count("tool_call_completed")) == (1, 1)
