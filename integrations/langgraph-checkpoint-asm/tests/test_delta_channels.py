"""Channels of which most checkpoints hold only the changes."""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.messages import HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import MessagesState
from typing_extensions import TypedDict

from langgraph_checkpoint_asm import AsmSaver

if TYPE_CHECKING:
    import asm_core


def joined(state: list[str], writes: Any) -> list[str]:
    """Return the state with all writes appended, in their order."""
    return reduce(operator.add, writes, state)


class State(TypedDict):
    """A list that is rebuilt from its changes, and one that is stored whole."""

    log: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=5)]
    whole: Annotated[list[str], operator.add]


def counting(saver: Any) -> Any:
    """Return a graph with two parallel nodes that append to both lists."""
    builder = StateGraph(State)
    for name in ("one", "two"):
        builder.add_node(name, lambda state, name=name: {"log": [f"{name}{len(state['whole'])}"], "whole": [name]})
        builder.add_edge(START, name)
    return builder.compile(checkpointer=saver)


def runs(saver: Any, prunes: Any) -> list[Any]:
    config: Any = {"configurable": {"thread_id": "t"}}
    states = []
    for number in range(9):
        counting(saver).invoke({"log": [f"in{number}"], "whole": ["in"]}, config)
        prunes(saver)
        states.append(counting(saver).get_state(config).values)
    return states


def prune(saver: Any) -> None:
    saver.prune(["t"])


def test_delta_channels_survive_pruning(backend: asm_core.Backend) -> None:
    pruned = AsmSaver(backend)
    assert runs(pruned, prune) == runs(InMemorySaver(), lambda _: None)
    kept = list(pruned.list({"configurable": {"thread_id": "t"}}))
    # Those since the last snapshot; without pruning there are 27.
    assert 1 <= len(kept) <= 6


def test_pruning_a_thread_without_delta_channels_keeps_one_checkpoint(backend: asm_core.Backend) -> None:
    saver = AsmSaver(backend)
    builder = StateGraph(MessagesState)
    builder.add_node("node", lambda _: {"messages": [HumanMessage("more")]})
    builder.add_edge(START, "node")
    graph = builder.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t"}}
    for _ in range(2):
        graph.invoke({"messages": ["hi"]}, config)
    saver.prune(["t", "unknown"])
    assert len(list(saver.list(config))) == 1
    assert len(graph.invoke({"messages": ["hi"]}, config)["messages"]) == 6
