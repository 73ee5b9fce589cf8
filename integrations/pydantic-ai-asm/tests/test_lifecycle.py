"""Conversations as sessions: exports, deletion, erasure."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest
from agents import ask
from pydantic_ai.conversation_store import ConversationConflict

import asm_core as asm
from asm_core.transfer import dump_session, load_session
from pydantic_ai_asm import AsmConversationStore

if TYPE_CHECKING:
    from pathlib import Path


def test_an_imported_conversation_continues(backend: asm.Backend, tmp_path: Path) -> None:
    asyncio.run(ask(AsmConversationStore(backend), "c", "hello"))
    file = io.BytesIO()
    dump_session(backend, "pydantic_ai:c", file)
    file.seek(0)
    with asm.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/other.db", migrate=True) as other:
        load_session(other, file)
        assert asyncio.run(ask(AsmConversationStore(other), "c", "bye")) == "3: bye"


def test_a_deleted_conversation_is_not_written_and_an_erased_one_begins_again(backend: asm.Backend) -> None:
    asyncio.run(ask(AsmConversationStore(backend), "c", "hello", "user-1"))
    backend.maintenance.soft_delete_session("pydantic_ai:c")
    assert asyncio.run(AsmConversationStore(backend).list_conversations()) == []
    assert asyncio.run(AsmConversationStore(backend).load("c")) is None
    with pytest.raises(ConversationConflict):
        asyncio.run(ask(AsmConversationStore(backend), "c", "again"))
    backend.maintenance.erase_user("user-1")
    assert asyncio.run(ask(AsmConversationStore(backend), "c", "again")) == "1: again"
