"""Threads as sessions: exports, retention, erasure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from graphs import agent
from helpers import config_of, plain

import asm_core as asm
from asm_core.transfer import dump_session, load_session
from langgraph_checkpoint_asm import AsmSaver

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: Any = {"configurable": {"thread_id": "t", "user_id": "user-1"}}


def ask(backend: asm.Backend, text: str) -> list[str]:
    messages = agent(AsmSaver(backend)).invoke({"messages": [("user", text)]}, CONFIG)["messages"]
    return [message.text for message in messages]


def test_an_imported_thread_continues(backend: asm.Backend, tmp_path: Path) -> None:
    ask(backend, "hello")
    file = io.BytesIO()
    dump_session(backend, "langgraph:t", file)
    file.seek(0)
    with asm.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/other.db", migrate=True) as other:
        load_session(other, file)
        saver = AsmSaver(other)
        assert [plain(one) for one in saver.list(None)] == [plain(one) for one in AsmSaver(backend).list(None)]
        assert ask(other, "bye") == ["hello", "1: hello", "bye", "3: bye"]


def test_a_thread_continues_after_its_old_events_were_pruned(backend: asm.Backend) -> None:
    for number in range(3):
        ask(backend, f"hello {number}")
    policy = asm.RetentionPolicy(max_events_per_session=4, exempt_statuses=())
    assert backend.maintenance.execute(policy).events_pruned > 0
    assert len(ask(backend, "bye")) == 8


def test_a_deleted_thread_is_not_written_and_an_erased_one_begins_again(backend: asm.Backend) -> None:
    ask(backend, "hello")
    backend.maintenance.soft_delete_session("langgraph:t")
    assert list(AsmSaver(backend).list(None)) == []
    with pytest.raises(asm.SessionDeletedError):
        ask(backend, "again")
    backend.maintenance.erase_user("user-1")
    assert AsmSaver(backend).get_tuple(config_of()) is None
    assert ask(backend, "again") == ["again", "1: again"]
