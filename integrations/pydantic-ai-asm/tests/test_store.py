"""The store against Pydantic AI's own in-memory store, and what is more here."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agents import ask
from bare import PYTHON
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationEntry,
    ConversationRecord,
    InMemoryConversationStore,
)
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import ModelRequest, UserPromptPart

from pydantic_ai_asm import AsmConversationStore, copy_conversations

if TYPE_CHECKING:
    from pydantic_ai.conversation_store import ConversationStore

    import asm_core as asm

LIMIT = 60


def message(text: str) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(text)])


def entry(entry_id: str, parent_id: str | None = None) -> ConversationEntry:
    return ConversationEntry(id=entry_id, parent_id=parent_id, message=message(entry_id))


def record(name: str, head_id: str | None, **fields: Any) -> ConversationRecord:
    return ConversationRecord(conversation_id=name, head_id=head_id, **fields)


NAMES = st.sampled_from(["a", "b", "c"])
SCOPES = st.none() | st.sampled_from(["user-1", "", "scope:x", "\0"])
STEP = (
    st.tuples(st.just("save"), NAMES, st.integers(0, 3), SCOPES)
    | st.tuples(st.just("stale"), NAMES)
    | st.tuples(st.just("fork"), NAMES, NAMES, st.none() | st.integers(0, 4), SCOPES)
    | st.tuples(st.just("branch"), NAMES, st.integers(0, 4))
    | st.tuples(st.just("back"), NAMES)
    | st.tuples(st.just("rewrite"), NAMES)
    | st.tuples(st.just("delete"), NAMES, SCOPES)
)
_marks = count()


async def carry_out(store: ConversationStore, step: Any, texts: Any, mark: str) -> Any:
    name, own, *rest = step
    own = f"{mark}{own}"
    loaded = await store.load(own)
    if name == "save":
        conversation = loaded or Conversation(conversation_id=own)
        conversation.messages.extend(texts[: rest[0]])
        await store.save(conversation, scope=rest[1])
    elif name == "stale":
        await store.save(Conversation(conversation_id=own, messages=list(texts), revision="stale"))
    elif name == "fork":
        await store.fork(own, at=rest[1], new_conversation_id=f"{mark}{rest[0]}", scope=rest[2])
    elif name == "delete":
        await store.delete(own, scope=rest[0])
    elif loaded is not None and name == "rewrite":
        kept = loaded.messages[:1]
        await store.save(Conversation(conversation_id=own, messages=[*kept, *texts], revision=loaded.revision))
    elif loaded is not None and name == "branch":
        await store.branch(own, at=rest[0], expected_revision=loaded.revision or "")
    elif loaded is not None:
        stored = await store.read_record(own)
        tip = stored.branches[-1] if stored and stored.branches else "none"
        await store.branch(own, from_entry=tip, expected_revision=loaded.revision or "")
    return None


async def outcome(store: ConversationStore, step: Any, texts: Any, mark: str) -> Any:
    """Carry a step out; return its error, and all that is stored then."""
    try:
        error = await carry_out(store, step, texts, mark)
    except UserError as raised:
        error = type(raised)
    loaded = [await store.load(f"{mark}{name}", limit=limit) for name in "abc" for limit in (None, 2)]
    listed = [
        [(one.conversation_id, one.scope, one.forked_from) for one in await store.list_conversations(scope=scope)]
        for scope in (None, "user-1", "", "scope:x")
    ]
    listed = [[one for one in found if one[0].startswith(mark)] for found in listed]
    return error, [one and one.messages for one in loaded], listed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=12))
def test_answers_are_those_of_the_framework_s_own_store(backend: asm.Backend, steps: list[Any]) -> None:
    mark = f"{next(_marks)}-"

    async def main() -> None:
        ours, theirs = AsmConversationStore(backend), InMemoryConversationStore()
        for number, step in enumerate(steps):
            texts = [message(f"{number} {index}") for index in range(3)]
            assert await outcome(ours, step, texts, mark) == await outcome(theirs, step, texts, mark), step

    asyncio.run(main())


def test_one_of_eight_savers_of_a_revision_wins(backend: asm.Backend) -> None:
    async def main() -> None:
        store = AsmConversationStore(backend)
        first = record("c", "e0")
        await store.write_record(first, new_entries=[entry("e0")], expected_revision=None)

        async def save(name: str) -> bool:
            try:
                await store.write_record(
                    record("c", name), new_entries=[entry(name, "e0")], expected_revision=first.revision
                )
            except ConversationConflict:
                return False
            return True

        won = await asyncio.gather(*(save(f"e{number}") for number in range(1, 9)))
        assert won.count(True) == 1
        history = await store.read_history(f"e{won.index(True) + 1}")
        assert [one.id for one in history] == ["e0", f"e{won.index(True) + 1}"]
        for number, has_won in enumerate(won, start=1):
            if not has_won:
                with pytest.raises(KeyError):
                    await store.read_entry(f"e{number}")

    asyncio.run(main())


def test_one_of_eight_savers_of_a_new_conversation_wins(backend: asm.Backend) -> None:
    async def main() -> None:
        store = AsmConversationStore(backend)
        saves = [
            store.write_record(record("c", f"e{number}"), new_entries=[entry(f"e{number}")], expected_revision=None)
            for number in range(8)
        ]
        results = await asyncio.gather(*saves, return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["ConversationConflict"] * 7 + ["NoneType"]

    asyncio.run(main())


def test_forks_survive_the_deletion_of_what_they_share(backend: asm.Backend) -> None:
    async def main() -> None:
        store = AsmConversationStore(backend)
        await ask(store, "original", "hello")
        await store.fork("original", new_conversation_id="fork")
        await store.fork("fork", new_conversation_id="fork of a fork")
        await ask(store, "fork", "weather?")
        await store.delete("fork")
        await store.delete("original")
        left = await store.load("fork of a fork")
        assert left is not None
        assert len(left.messages) == 2
        assert await ask(store, "fork of a fork", "again") == "3: again"
        assert await store.load("original") is None

    asyncio.run(main())
    assert len(backend.query_api.search_sessions().items) == 1
    assert backend.query_api.get_usage_summary().input_tokens == 10


def test_an_unknown_head_is_refused_and_nothing_is_stored(backend: asm.Backend) -> None:
    async def main() -> None:
        store = AsmConversationStore(backend)
        with pytest.raises(ConversationConflict):
            await store.write_record(record("c", "unknown"), expected_revision=None)
        with pytest.raises(ConversationConflict):
            await store.write_record(record("c", "e"), new_entries=[entry("e", "unknown")], expected_revision=None)
        assert await store.read_record("c") is None
        with pytest.raises(KeyError):
            await store.read_history("e")

    asyncio.run(main())
    assert backend.query_api.search_sessions().items == []


def test_a_scope_is_the_user_of_the_session(backend: asm.Backend) -> None:
    async def main() -> None:
        store = AsmConversationStore(backend)
        for scope in ("user-1", "user-2", None, "", "x" * 600, "\ud800", "a:b"):
            await store.save(Conversation(conversation_id=f"of {scope}"), scope=scope)
        for scope in ("user-1", "", "x" * 600, "\ud800", "a:b"):
            assert [one.conversation_id for one in await store.list_conversations(scope=scope)] == [f"of {scope}"]
        assert await store.load("of user-1", scope="user-2") is None

    asyncio.run(main())
    [session] = backend.query_api.search_sessions(user_id="user-1").items
    assert session.id == "pydantic_ai:of user-1"


def test_a_cancelled_save_is_whole(backend: asm.Backend) -> None:
    begun = threading.Event()

    class Slow(AsmConversationStore):
        async def write_record(self, *args: Any, **kwargs: Any) -> None:
            begun.set()
            await super().write_record(*args, **kwargs)

    async def main() -> None:
        store = Slow(backend)
        saving = asyncio.create_task(store.save(Conversation(conversation_id="c", messages=[message("hi")])))
        await asyncio.to_thread(begun.wait, LIMIT)
        saving.cancel()
        with suppress(asyncio.CancelledError):  # unless the save has ended already
            await saving
        record = await store.read_record("c")
        history = [] if record is None else await store.read_history(record.head_id)
        assert len(history) == (0 if record is None else 1)

    asyncio.run(main())


def test_a_second_process_continues_the_conversation(backend: asm.Backend, store_url: str) -> None:
    assert asyncio.run(ask(AsmConversationStore(backend), "c", "hello", "user-1")) == "1: hello"
    program = [PYTHON, str(Path(__file__).with_name("agents.py")), store_url, "c", "weather?"]
    assert subprocess.check_output(program, text=True, timeout=LIMIT) == "5: sunny in Graz"
    [session] = backend.query_api.search_sessions(user_id="user-1").items
    assert session.title == "hello"
    events = backend.session_store.get_events(session.id)
    assert [event.type for event in events if event.type != "pydantic_ai.entry"] == [
        "message_sent",
        "message_received",
        "token_usage_updated",
        "message_sent",
        "tool_call_started",
        "token_usage_updated",
        "tool_call_completed",
        "message_received",
        "token_usage_updated",
    ]
    usage = backend.query_api.get_usage_summary()
    assert [(row.provider, row.model) for row in usage.rows] == [("scripted", "scripted-1")]
    assert (usage.run_count, usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (2, 30, 12, 9)


def test_conversations_of_another_store_are_copied(backend: asm.Backend) -> None:
    async def main() -> None:
        theirs, ours = InMemoryConversationStore(), AsmConversationStore(backend)
        for text in ("hello", "weather?"):
            await ask(theirs, "c", text, "user-1")
        await theirs.fork("c", at=2, new_conversation_id="fork")
        loaded = await theirs.load("c")
        assert loaded is not None
        await theirs.branch("c", at=1, expected_revision=loaded.revision or "")
        assert [await copy_conversations(theirs, ours) for _ in range(2)] == [2, 0]
        for name in ("c", "fork"):
            expected = await theirs.read_record(name)
            assert expected is not None
            assert await ours.read_record(name) == expected
            for tip in (expected.head_id, *expected.branches):
                assert await ours.read_history(tip) == await theirs.read_history(tip)
        await ours.delete("fork")
        assert await ask(ours, "c", "again") == "1: again"

    asyncio.run(main())
    assert backend.query_api.get_usage_summary().input_tokens == 40


@pytest.mark.parametrize("others", [0, 3, 250])
def test_a_short_history_is_found_before_entries_of_another_branch(backend: asm.Backend, others: int) -> None:
    """Pages begin as long as the history, and grow over entries that do not belong to it."""
    store = AsmConversationStore(backend)
    mine = [
        ConversationEntry(id=f"m{at}", parent_id=f"m{at - 1}" if at else None, message=message(str(at)))
        for at in range(4)
    ]
    other = [
        ConversationEntry(id=f"o{at}", parent_id=f"o{at - 1}" if at else "m0", message=message("o"))
        for at in range(others)
    ]
    head = ConversationEntry(id="head", parent_id="m3", message=message("end"))
    branches = [other[-1].id] if other else []
    record = ConversationRecord(conversation_id="c", head_id="head", branches=branches)
    asyncio.run(store.write_record(record, new_entries=[*mine, *other, head], expected_revision=None))
    for limit in (1, 2, 3, 5, None):
        expected = [*mine, head][-limit:] if limit else [*mine, head]
        assert asyncio.run(store.read_history("head", limit=limit)) == expected
