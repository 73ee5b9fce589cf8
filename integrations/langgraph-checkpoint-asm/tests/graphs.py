"""Graphs of the tests, also run as programs: ``python graphs.py NAME URL THREAD [TEXT]``."""

from __future__ import annotations

import operator
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from langgraph_checkpoint_asm import AsmSaver


def reply(state: MessagesState) -> dict[str, Any]:
    """Answer as a model does: call a tool for a question, and repeat what the tool returned."""
    last = state["messages"][-1]
    told = {"model_name": "scripted-1", "model_provider": "scripted"}
    usage: Any = {
        "input_tokens": 10,
        "output_tokens": 3,
        "total_tokens": 13,
        "input_token_details": {"cache_read": 4},
    }
    calls: Any = []
    text = f"{len(state['messages'])}: {last.text}"
    if last.type == "human" and "weather" in str(last.content):
        text, calls = "", [{"name": "weather", "args": {"city": "Graz"}, "id": f"call_{len(state['messages'])}"}]
    answer = AIMessage(text, tool_calls=calls, response_metadata=told, usage_metadata=usage)
    return {"messages": [answer]}


def weather(state: MessagesState) -> dict[str, Any]:
    """Answer the call of the tool."""
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    return {"messages": [ToolMessage("sunny", name="weather", tool_call_id=last.tool_calls[0]["id"] or "")]}


def agent(saver: Any) -> Any:
    """Return an agent with a scripted model and one tool."""
    builder = StateGraph(MessagesState)
    builder.add_node("model", reply)
    builder.add_node("tools", weather)
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=saver)


class Steps(TypedDict):
    """What ran."""

    ran: Annotated[list[str], operator.add]


def steps(saver: Any, log: Path, *, blocks: bool) -> Any:
    """Return a graph whose node `slow` blocks beside `fast`; each node appends its name to a file."""

    def node(name: str) -> Any:
        def run(_: Steps) -> dict[str, Any]:
            with log.open("a") as file:
                file.write(f"{name}\n")
            if name == "slow" and blocks:
                threading.Event().wait()
            return {"ran": [name]}

        return run

    builder = StateGraph(Steps)
    for name in ("first", "fast", "slow", "last"):
        builder.add_node(name, node(name))
    builder.add_edge(START, "first")
    builder.add_edge("first", "fast")
    builder.add_edge("first", "slow")
    builder.add_edge(["fast", "slow"], "last")
    return builder.compile(checkpointer=saver)


def main(name: str, url: str, thread: str, text: str = "") -> None:
    """Run a graph once, in a process of its own."""
    config: Any = {"configurable": {"thread_id": thread}}
    with AsmSaver.open(url, backend="sqlmodel") as saver:
        if name == "agent":
            messages: list[AnyMessage] = agent(saver).invoke({"messages": [("user", text)]}, config)["messages"]
            sys.stdout.writelines(f"{message.type}={message.text}\n" for message in messages)
        else:
            steps(saver, Path(text), blocks=True).invoke({"ran": []}, config)


if __name__ == "__main__":
    main(*sys.argv[1:])
