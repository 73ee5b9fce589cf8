"""Conversion between messages of a transcript and those of Anthropic's Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.conversation import Message
from asm_core.providing import portable_call_id, portable_name, tool_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asm_core.values.payloads import Payload

_VERBATIM: Final = {
    "container_upload",
    "document",
    "image",
    "redacted_thinking",
    "search_result",
    "server_tool_use",
}
"""Blocks that are given back unchanged, with those of the results of Anthropic's own tools."""
_RESULT: Final = "_tool_result"


def to_anthropic(messages: Iterable[Message]) -> Payload:
    """Return messages as ``system`` and ``messages``, the arguments of Anthropic's ``messages.create``.

    Messages of the system become ``system``, wherever they are. Thinking is given back unchanged; the reasoning of
    other vendors is left out, as are other parts that the API has no block for.
    """
    system: list[Payload] = []
    turns: list[Payload] = []
    for message in messages:
        if message.role == "system":
            system += [block for block in _blocks(message) if block["type"] == "text"]
            continue
        blocks = [_tool_result(message)] if message.role == "tool" else _blocks(message)
        role = "assistant" if message.role == "assistant" else "user"
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return {"system": system, "messages": turns} if system else {"messages": turns}


def from_anthropic(messages: Iterable[Payload], system: str | Sequence[Payload] | None = None) -> list[Message]:
    """Return messages of Anthropic's Messages API as those of a transcript."""
    found = [Message(role="system", content=system if isinstance(system, str) else list(system))] if system else []
    names: dict[str, str] = {}
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            found.append(Message(role=message["role"], content=content))
            continue
        parts: list[Payload] = []
        for block in content:
            if block["type"] == "tool_result":
                found.append(_result_message(block, names))
                continue
            if block["type"] == "tool_use":
                names[block["id"]] = block["name"]
            parts.append(to_part(block))
        if parts:
            found.append(Message(role=message["role"], content=parts))
    return found


def to_part(block: Payload) -> Payload:
    """Return a block of a message as a part."""
    if block["type"] != "tool_use":
        return dict(block)
    return {
        "type": "tool_call",
        "tool_call_id": block["id"],
        "tool_name": block["name"],
        "tool_input": block["input"],
    }


def _blocks(message: Message) -> list[Payload]:
    blocks = (_block(part) for part in message.parts)
    return [block for block in blocks if block is not None]


def _block(part: Payload) -> Payload | None:
    kind = part.get("type")
    if kind in {"text", "refusal"}:  # a block of text must not be blank
        text = part.get(kind)
        known = {name: part[name] for name in ("citations", "cache_control") if part.get(name)}
        return {"type": "text", "text": text, **known} if isinstance(text, str) and text.strip() else None
    if kind == "tool_call":
        tool_input = part.get("tool_input")
        return {
            "type": "tool_use",
            "id": portable_call_id(str(part.get("tool_call_id"))),
            "name": portable_name(part.get("tool_name")),
            "input": tool_input if isinstance(tool_input, dict) else {"invalid": tool_input},
        }
    if kind == "thinking":  # a signature marks that of Anthropic
        return part if part.get("signature") else None
    return part if isinstance(kind, str) and (kind in _VERBATIM or kind.endswith(_RESULT)) else None


def _tool_result(message: Message) -> Payload:
    result: Payload = {
        "type": "tool_result",
        "tool_use_id": portable_call_id(message.tool_call_id or ""),
        "content": tool_text(message),
    }
    return {**result, "is_error": True} if message.is_error else result


def _result_message(block: Payload, names: dict[str, str]) -> Message:
    content: Any = block.get("content", "")
    if isinstance(content, list) and len(content) == 1 and content[0].get("type") == "text":
        content = content[0]["text"]
    return Message(
        role="tool",
        content=content,
        tool_call_id=block["tool_use_id"],
        tool_name=names.get(block["tool_use_id"]),
        is_error=bool(block.get("is_error")),
    )
