"""Conversion between messages of a transcript and items of OpenAI's Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.conversation import Message
from asm_core.providing import portable_call_id, portable_name, tool_call, tool_text
from asm_provider_openai.parts import arguments_of, image_part, image_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.values.payloads import Payload

_FILE: Final = {"input_file", "input_image"}
_ITEMS: Final = {"compaction", "mcp_approval_request", "mcp_list_tools"}
_CALL: Final = "_call"
_OWN_CALL: Final = "function_call"


def to_responses(messages: Iterable[Message], *, stored: bool = False) -> list[Payload]:
    """Return messages as items, the argument `input` of OpenAI's ``responses.create``.

    Reasoning is given back unchanged; the thinking of other vendors is left out, as are other parts that the API has no
    item for.

    Args:
        messages: the messages.
        stored: whether OpenAI stores the responses. If not, reasoning without its encrypted content is left out, which
            the API could not read.
    """
    items: list[Payload] = []
    for message in messages:
        if message.role == "tool":
            call_id = portable_call_id(message.tool_call_id or "")
            items.append({"type": "function_call_output", "call_id": call_id, "output": tool_text(message)})
        elif message.role == "assistant":
            items += [item for part in message.parts if (item := _item(part, stored=stored)) is not None]
        else:
            content = [block for part in message.parts if (block := _content(part)) is not None]
            if content:
                items.append({"role": message.role, "content": content})
    return items


def from_responses(items: Iterable[Payload]) -> list[Message]:
    """Return items of OpenAI's Responses API, of `input` or of `output`, as messages of a transcript."""
    found: list[Message] = []
    names: dict[str, str] = {}
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call_output":
            call_id = item["call_id"]
            found.append(
                Message(role="tool", content=item["output"], tool_call_id=call_id, tool_name=names.get(call_id))
            )
        elif kind == "message" and item["role"] != "assistant":
            content = item["content"]
            parts = content if isinstance(content, str) else [_input_part(block) for block in content]
            found.append(Message(role="system" if item["role"] == "developer" else item["role"], content=parts))
        else:
            if kind == _OWN_CALL:
                names[item["call_id"]] = item["name"]
            last = found[-1] if found else None
            before = found.pop().content if last is not None and last.role == "assistant" else []
            found.append(Message(role="assistant", content=[*before, *to_parts(item)]))
    return found


def to_parts(item: Payload) -> list[Payload]:
    """Return an item of the output as parts of a message."""
    kind = item.get("type", "message")
    if kind == _OWN_CALL:
        return [tool_call(item["call_id"], item["name"], item["arguments"])]
    if kind != "message":
        return [item]
    content = item["content"]
    blocks = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
    phase = {"phase": item["phase"]} if item.get("phase") else {}
    return [
        {"type": "refusal", "refusal": block["refusal"]}
        if block["type"] == "refusal"
        else {
            "type": "text",
            "text": block["text"],
            **({"annotations": block["annotations"]} if block.get("annotations") else {}),
            **phase,
        }
        for block in blocks
    ]


def _item(part: Payload, *, stored: bool) -> Payload | None:
    kind = part.get("type")
    if kind in {"text", "refusal"}:
        text = part.get(kind)
        phase = {"phase": part["phase"]} if part.get("phase") else {}
        return {"role": "assistant", "content": text, **phase} if isinstance(text, str) and text else None
    if kind == "tool_call":
        return {
            "type": _OWN_CALL,
            "call_id": portable_call_id(str(part.get("tool_call_id"))),
            "name": portable_name(part.get("tool_name")),
            "arguments": arguments_of(part.get("tool_input")),
        }
    if kind == "reasoning":
        readable = "summary" in part and (stored or part.get("encrypted_content"))
        return part if readable else None
    return part if isinstance(kind, str) and (kind in _ITEMS or kind.endswith(_CALL)) else None


def _content(part: Payload) -> Payload | None:
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "input_text", "text": part["text"]}
    if kind == "image" and (url := image_url(part)) is not None:
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    return part if kind in _FILE else None


def _input_part(block: Payload) -> Any:
    if block["type"] in {"input_text", "text"}:
        return {"type": "text", "text": block["text"]}
    if block["type"] == "input_image" and isinstance(block.get("image_url"), str):
        return image_part(block["image_url"])
    return block
