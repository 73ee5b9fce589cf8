"""Everything that an agent hands over is kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import InMemoryConversationStore
from pydantic_ai.messages import (
    BinaryImage,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import DeferredToolRequests
from values import equal, nested

from pydantic_ai_asm import AsmConversationStore

if TYPE_CHECKING:
    import asm_core


VALUES: dict[str, Any] = {
    "a lone surrogate": ["x\ud800y", {"\udfff": 1}],
    "a text that looks like an escape": ["\0asm:text:x", "\0asm:part:0", {"asm_parts": []}],
    "not a number": [float("nan"), float("inf"), float("-inf"), -0.0],
    "a thousand levels": nested(1_000),
    "bytes": [b"\0\xff", b""],
    "big integers": [1 << 63, 1 << 64, -(1 << 63) - 1, 1 << 100_000],
    "a time": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "nothing": None,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_is_kept_in_messages_and_requests(backend: asm_core.Backend, value: Any) -> None:
    messages = [
        ModelResponse([ToolCallPart("tool", {"value": value}, "call")], provider_details={"value": value}),
        ModelRequest([ToolReturnPart("tool", value, tool_call_id="call", metadata=value)], metadata={"value": value}),
    ]
    call = ToolCallPart("tool", {"value": value}, "call")
    deferred = DeferredToolRequests(approvals=[call], metadata={"call": {"value": value}})

    async def main() -> None:
        store = AsmConversationStore(backend)
        given = Conversation(conversation_id="c", messages=list(messages), deferred_tool_requests=deferred)
        await store.save(given)
        found = await store.load("c")
        assert found is not None
        response, request = found.messages
        assert isinstance(response, ModelResponse)
        assert isinstance(request, ModelRequest)
        assert equal(response.provider_details, {"value": value})
        assert equal(response.parts[0].args, {"value": value})  # type: ignore[union-attr]
        assert equal(request.parts[0].content, value)  # type: ignore[union-attr]
        assert equal(request.parts[0].metadata, value)  # type: ignore[union-attr]
        assert equal(request.metadata, {"value": value})
        assert found.deferred_tool_requests is not None
        assert equal(found.deferred_tool_requests.metadata, {"call": {"value": value}})
        assert equal(found.deferred_tool_requests.approvals[0].args, {"value": value})

    asyncio.run(main())


def test_all_kinds_of_parts_are_kept(backend: asm_core.Backend) -> None:
    content = ["look\ud800", ImageUrl("https://example.org/a.png"), BinaryImage(b"\xff\x00", media_type="image/png")]
    messages = [
        ModelRequest([UserPromptPart(content)]),
        ModelResponse([ThinkingPart("hm\ud800", signature="s"), TextPart("a cat")], model_name="m\ud800"),
        ModelResponse([ToolCallPart("set", {"a": 1}, "call")]),
        ModelRequest([ToolReturnPart("set", {"a set": {1}}, tool_call_id="call")]),
    ]

    async def main() -> None:
        ours, theirs = AsmConversationStore(backend), InMemoryConversationStore()
        found = []
        for store in (ours, theirs):
            await store.save(Conversation(conversation_id="c", messages=list(messages)))
            found.append(await store.load("c"))
        assert found[0] is not None
        assert found[1] is not None
        assert found[0].messages[:3] == found[1].messages[:3]
        # A set has no form in JSON: it is kept as the framework's own serializer has it.
        assert found[0].messages[3].parts[0].content == {"a set": [1]}  # type: ignore[union-attr]

    asyncio.run(main())


NAMES = ["", "a", "a:b", "a%3Ab", "\0", "\ud800", "é", "#", "x" * 600, "x" * 601, "🦜" * 200]


def test_conversations_of_any_name_are_kept_apart(backend: asm_core.Backend) -> None:
    async def main() -> None:
        store = AsmConversationStore(backend)
        for index, name in enumerate(NAMES):
            messages: Any = [ModelRequest([UserPromptPart(str(index))])]
            await store.save(Conversation(conversation_id=name, messages=messages))
        for index, name in enumerate(NAMES):
            found = await store.load(name)
            assert found is not None
            assert found.conversation_id == name
            assert found.messages[0].parts[0].content == str(index)  # type: ignore[union-attr]
        assert {one.conversation_id for one in await store.list_conversations()} == set(NAMES)

    asyncio.run(main())
