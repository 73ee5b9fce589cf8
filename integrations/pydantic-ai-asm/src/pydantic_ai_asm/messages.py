"""Messages as events that `asm show`, searches and exports understand, and the runs that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic_ai.messages import (
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

import asm_core as asm
from asm_core.integrating import composed_id, readable
from pydantic_ai_asm.records import run_id_of, session_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_ai.conversation_store import ConversationEntry
    from pydantic_ai.messages import ModelMessage

    from asm_core.ports import SessionStore

_LONGEST_NAME: Final = 100


def message_events(conversation_id: str, entry: ConversationEntry, *, has_usage: bool = True) -> list[asm.Event]:
    """Return an event for each part of an entry's message, and one for the tokens of a response."""
    message = entry.message
    told = [found for part in message.parts for found in _contents(part)]
    if has_usage and isinstance(message, ModelResponse) and (usage := usage_of(message)):
        data = {"usage": dict(usage), "model": message.model_name, "response_id": message.provider_response_id}
        told.append(("token_usage_updated", data))
    return [
        asm.Event.new(
            type=kind,
            id=composed_id("pydantic_ai.message", conversation_id, entry.id, str(index)),
            session_id=session_id_of(conversation_id),
            run_id=run_id_of(conversation_id, message),
            data=readable(data),
            provider=_name(message.provider_name) if isinstance(message, ModelResponse) else None,
        )
        for index, (kind, data) in enumerate(told)
    ]


def usage_of(message: ModelMessage) -> asm.TokenUsage | None:
    """Return the tokens of a response, or None."""
    if not isinstance(message, ModelResponse):
        return None
    usage = message.usage
    sums = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    parts = {
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.details.get("reasoning_tokens", 0),
    }
    if not any(sums.values()):
        return None
    try:
        return asm.TokenUsage({**sums, **{name: count for name, count in parts.items() if count}})
    except asm.ValidationError:  # parts that exceed their whole
        return asm.TokenUsage(sums)


def save_runs(store: SessionStore, conversation_id: str, entries: Iterable[ConversationEntry]) -> None:
    """Add the tokens of responses to their runs; those of earlier saves are in the stored run."""
    runs: dict[str, asm.Run] = {}
    for entry in entries:
        message = entry.message
        run_id = run_id_of(conversation_id, message)
        if run_id is None:
            continue
        run = runs.get(run_id) or _stored_run(store, session_id_of(conversation_id), run_id)
        if isinstance(message, ModelResponse):
            run = run.next_turn()
            if usage := usage_of(message):
                run = run.add_token_usage(usage)
            if model := _name(message.model_name):
                run = run.with_provider_metadata({"model": model})
            if provider := _name(message.provider_name):
                run = asm.Run.from_dict({**run.to_dict(), "provider": provider})
        runs[run_id] = run
    for run in runs.values():
        store.save_run(run)


def _stored_run(store: SessionStore, session_id: str, run_id: str) -> asm.Run:
    try:
        return store.get_run(run_id)
    except asm.RunNotFoundError:
        # A conversation is saved after a run, so it has ended.
        return asm.Run.new(id=run_id, session_id=session_id, status="running").with_status("completed")


def _contents(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, SystemPromptPart):
        yield "message_sent", {"role": "system", "content": part.content}
    elif isinstance(part, UserPromptPart):
        yield "message_sent", {"role": "user", "content": _content(part.content)}
    elif isinstance(part, TextPart):
        yield "message_received", {"role": "assistant", "content": part.content}
    elif isinstance(part, ToolCallPart):
        yield "tool_call_started", {**_call(part), "tool_input": part.args}
    elif isinstance(part, ToolReturnPart):
        if part.outcome == "success":
            yield "tool_call_completed", {**_call(part), "tool_output": part.content}
        else:
            yield "tool_call_failed", {**_call(part), "error": part.content}
    elif isinstance(part, RetryPromptPart):
        if part.tool_name:
            yield "tool_call_failed", {**_call(part), "error": part.content}
        else:
            yield "message_sent", {"role": "user", "content": part.model_response()}


def _call(part: Any) -> dict[str, Any]:
    return {"tool_call_id": part.tool_call_id, "tool_name": part.tool_name}


def _content(content: Any) -> Any:
    """Return a text, or parts of which each has a type; what is no text is in the entry only."""
    if isinstance(content, str):
        return content
    return [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": getattr(part, "kind", "unknown")}
        for part in content
    ]


def _name(value: str | None) -> str | None:
    name: str = readable((value or "").replace("\0", ""))[:_LONGEST_NAME]
    return name or None
