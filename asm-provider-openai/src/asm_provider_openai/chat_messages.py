"""Conversion between messages of a transcript and those of OpenAI's Chat Completions API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.conversation import Message
from asm_core.providing import portable_call_id, portable_name, tool_call, tool_text
from asm_provider_openai.parts import arguments_of, image_part, image_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.values.payloads import Payload

REASONING: Final = "reasoning_content"
"""The field in which compatible servers send the reasoning of a model."""
_VERBATIM: Final = {"file", "input_audio"}


def to_chat(messages: Iterable[Message]) -> list[Payload]:
    """Return messages as the argument `messages` of OpenAI's ``chat.completions.create``.

    The thinking of other vendors is left out, as are other parts that the API has no form for. The reasoning of a
    compatible server is given back with the calls of tools that it led to.
    """
    return [found for message in messages if (found := _to_chat(message)) is not None]


def from_chat(messages: Iterable[Payload]) -> list[Message]:
    """Return messages of OpenAI's Chat Completions API as those of a transcript."""
    found: list[Message] = []
    names: dict[str, str] = {}
    for message in messages:
        role = message["role"]
        if role == "tool":
            call_id = message["tool_call_id"]
            found.append(
                Message(role="tool", content=message["content"], tool_call_id=call_id, tool_name=names.get(call_id))
            )
            continue
        parts = _parts(message)
        names.update((part["tool_call_id"], part["tool_name"]) for part in parts if part["type"] == "tool_call")
        plain = len(parts) == 1 and parts[0]["type"] == "text"
        found.append(
            Message(role="system" if role == "developer" else role, content=parts[0]["text"] if plain else parts)
        )
    return found


def _to_chat(message: Message) -> Payload | None:
    if message.role == "tool":
        call_id = portable_call_id(message.tool_call_id or "")
        return {"role": "tool", "tool_call_id": call_id, "content": tool_text(message)}
    if message.role == "assistant":
        return _to_answer(message)
    if isinstance(message.content, str):
        return {"role": message.role, "content": message.content}
    content = [block for part in message.parts if (block := _content(part)) is not None]
    return {"role": message.role, "content": content} if content else None


def _to_answer(message: Message) -> Payload | None:
    text = "".join(str(part.get(part["type"]) or "") for part in message.parts if part["type"] in {"text", "refusal"})
    calls = [
        {
            "id": portable_call_id(str(call.get("tool_call_id"))),
            "type": "function",
            "function": {
                "name": portable_name(call.get("tool_name")),
                "arguments": arguments_of(call.get("tool_input")),
            },
        }
        for call in message.tool_calls
    ]
    if not calls:
        return {"role": "assistant", "content": text} if text else None
    reasoning = next((part[REASONING] for part in message.parts if part.get(REASONING)), None)
    kept = {REASONING: reasoning} if reasoning else {}
    return {"role": "assistant", "content": text or None, **kept, "tool_calls": calls}


def _content(part: Payload) -> Payload | None:
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "image" and (url := image_url(part)) is not None:
        return {"type": "image_url", "image_url": {"url": url}}
    return part if kind in _VERBATIM else None


def _parts(message: Payload) -> list[Payload]:
    content: Any = message.get("content")
    parts: list[Payload] = [{"type": "reasoning", REASONING: message[REASONING]}] if message.get(REASONING) else []
    if isinstance(content, str):
        parts += [{"type": "text", "text": content}] if content else []
    else:
        parts += [
            image_part(block["image_url"]["url"]) if block["type"] == "image_url" else block for block in content or []
        ]
    if message.get("refusal"):
        parts.append({"type": "refusal", "refusal": message["refusal"]})
    for call in message.get("tool_calls") or []:
        parts.append(tool_call(call["id"], call["function"]["name"], call["function"]["arguments"]))
    return parts
