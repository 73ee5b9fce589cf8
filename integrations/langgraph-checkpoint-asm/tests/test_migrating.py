"""Copies of a database that LangGraph's own saver wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphs import agent
from helpers import config_of, plain, put
from langgraph.checkpoint.sqlite import SqliteSaver

from langgraph_checkpoint_asm import AsmSaver, copy_sqlite_checkpoints

if TYPE_CHECKING:
    from pathlib import Path

    import asm_core


def test_a_graph_continues_on_the_copy(backend: asm_core.Backend, tmp_path: Path) -> None:
    config: Any = {"configurable": {"thread_id": "t"}}
    ours = AsmSaver(backend)
    with SqliteSaver.from_conn_string(str(tmp_path / "old.db")) as theirs:
        for text in ("hello", "weather?"):
            agent(theirs).invoke({"messages": [("user", text)]}, config)
        stored = put(theirs, config_of("u", "sub:1"), {"n": 1}, step=5)
        theirs.put_writes(stored, [("a", 1), ("__interrupt__", 2), ("b", 3)], "task", "~path")
        theirs.put_writes(stored, [("__error__", "x"), ("__resume__", 4)], "other")
        expected = [[plain(one) for one in theirs.list(config_of(*place))] for place in (("t", ""), ("u", "sub:1"))]
    counts = [copy_sqlite_checkpoints(tmp_path / "old.db", ours) for _ in range(2)]
    assert counts == [sum(map(len, expected))] * 2
    assert [[plain(one) for one in ours.list(config_of(*place))] for place in (("t", ""), ("u", "sub:1"))] == expected
    answer = agent(ours).invoke({"messages": [("user", "bye")]}, config)["messages"]
    texts = [message.text for message in answer]
    assert texts == ["hello", "1: hello", "weather?", "", "sunny", "5: sunny", "bye", "7: bye"]
    events = backend.session_store.get_events("langgraph:t")
    assert [event.type for event in events].count("message_sent") == 3


def test_a_missing_file_is_not_created(backend: asm_core.Backend, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_sqlite_checkpoints(tmp_path / "none.db", AsmSaver(backend))
    assert list(tmp_path.glob("none*")) == []
