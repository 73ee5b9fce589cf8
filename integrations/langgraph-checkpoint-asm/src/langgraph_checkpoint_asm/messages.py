"""Messages of a graph's state as events that `asm show`, searches and exports understand."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, RemoveMessage, ToolMessage

import asm_core as asm
from asm_core.integrating import composed_id, readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langgraph_checkpoint_asm.records import Place

MESSAGE_TYPES: Final = (
    "message_sent",
    "message_received",
    "tool_call_started",
    "tool_call_completed",
    "tool_call_failed",
    "token_usage_updated",
)
_KEY: Final = "langgraph_message"
_ROLES: Final = {"human": "user", "ai": "assistant"}


class Usage(NamedTuple):
    """What a model's response cost."""

    counts: asm.TokenUsage
    provider: str | None
    model: str | None


def messages_in(value: Any) -> list[BaseMessage]:
    """Return the messages that a value of a channel is, or holds in a list or a snapshot of one."""
    if not isinstance(value, list | tuple):
        return [value] if _is_message(value) else []
    found: list[BaseMessage] = []
    for item in value:
        if isinstance(item, list):
            found += messages_in(item)
        elif _is_message(item):
            found.append(item)
    return found


def _is_message(value: Any) -> bool:
    return isinstance(value, BaseMessage) and not isinstance(value, RemoveMessage)


def key_of(message: BaseMessage, position: int) -> str:
    """Return what identifies a message in a thread: its id, or its place in the list and its content."""
    return message.id or f"{position}:{digest_of(message)}"


def digest_of(message: BaseMessage) -> str:
    """Return a digest of the content of a message."""
    return hashlib.sha256(
        repr((message.type, message.content, vars(message).get("tool_calls"))).encode("utf-8", "surrogatepass")
    ).hexdigest()[:16]


def known_key(event: asm.Event) -> str | None:
    """Return the key of the message of which an event was made."""
    key = event.metadata.get(_KEY)
    return key if isinstance(key, str) else None


def message_events(place: Place, key: str, message: BaseMessage, run_id: str | None) -> list[asm.Event]:
    """Return the events of a message: one of its content, of each tool call, and of its usage."""
    usage = usage_of(message)
    told = [*_contents(message), *([_usage_data(message, usage)] if usage else [])]
    return [
        asm.Event.new(
            type=kind,
            id=composed_id("langgraph.message", place.thread_id, key, str(index)),
            session_id=place.session_id,
            run_id=run_id,
            data=readable(data),
            metadata={_KEY: readable(key)},
            provider=usage.provider if usage else None,
        )
        for index, (kind, data) in enumerate(told)
    ]


def usage_of(message: BaseMessage) -> Usage | None:
    """Return the tokens that a model's response took, if the message has them."""
    counts = message.usage_metadata if isinstance(message, AIMessage) else None
    if not counts:
        return None
    into = counts.get("input_token_details") or {}
    out = counts.get("output_token_details") or {}
    sums = {"input_tokens": counts["input_tokens"], "output_tokens": counts["output_tokens"]}
    parts = {
        "cache_read_tokens": into.get("cache_read"),
        "cache_write_tokens": into.get("cache_creation"),
        "reasoning_tokens": out.get("reasoning"),
    }
    try:
        tokens = asm.TokenUsage({**sums, **{name: count for name, count in parts.items() if count}})
    except asm.ValidationError:  # parts that exceed their whole
        tokens = asm.TokenUsage(sums)
    told: Mapping[str, Any] = message.response_metadata
    return Usage(tokens, _name(told.get("model_provider")), _name(told.get("model_name") or told.get("model")))


def _contents(message: BaseMessage) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(message, ToolMessage):
        name = {"tool_call_id": message.tool_call_id, "tool_name": message.name or ""}
        if message.status == "error":
            yield "tool_call_failed", {**name, "error": message.content}
        else:
            yield "tool_call_completed", {**name, "tool_output": message.content}
        return
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    role = _ROLES.get(message.type) or getattr(message, "role", message.type)
    if message.content or not calls:
        kind = "message_received" if isinstance(message, AIMessage) else "message_sent"
        yield kind, {"role": role, "content": _content(message.content)}
    for call in calls:
        yield (
            "tool_call_started",
            {
                "tool_call_id": call["id"] or "",
                "tool_name": call["name"],
                "tool_input": call["args"],
            },
        )


def _content(content: Any) -> Any:
    """Return a content of which each part has a type."""
    if isinstance(content, str):
        return content
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]


def _usage_data(message: BaseMessage, usage: Usage) -> tuple[str, dict[str, Any]]:
    return "token_usage_updated", {"usage": dict(usage.counts), "model": usage.model, "response_id": message.id}


def _name(value: Any) -> str | None:
    """Return a provider's or model's name if it is a valid one."""
    if not isinstance(value, str) or not value:
        return None
    name: str = readable(value.replace("\0", ""))[:100]
    return name or None
