"""Tokens of a transcript as runs: one for each prompt and model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core import Run, RunNotFoundError, RunStatus, TokenUsage, ValidationError
from asm_core.integrating import composed_id, readable
from claude_agent_sdk_asm.entries import message_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asm_core import SessionStore

_LAST: Final = "claude_last_message"
"""The metadata key of a run for the id and the tokens of its last message: a transcript repeats both on each line."""


def count(store: SessionStore, session_id: str, prompt: str, entries: Sequence[Any]) -> str:
    """Add the tokens of new entries to the runs of a session; return the id of the last prompt.

    `store` is that of a transaction that has locked the session's log. `prompt` is the id of the prompt before the
    entries.
    """
    runs: dict[str, Run] = {}
    for entry in entries:
        prompt = _prompt(entry) or prompt
        message = message_of(entry)
        if message is None or entry["type"] != "assistant" or not isinstance(message.get("usage"), dict):
            continue
        try:
            usage = TokenUsage.from_provider(message["usage"])
        except ValidationError:  # counts that this version does not know
            continue
        model = str(message.get("model"))
        run_id = composed_id("run", session_id, prompt, model)
        run = runs.get(run_id) or _run(store, session_id, run_id, entry, model)
        runs[run_id] = _added(run, str(message.get("id")), usage)
    for run in runs.values():
        store.save_run(run)
    return prompt


def _prompt(entry: Any) -> Any:
    """Return the id of an entry that is a prompt of the user."""
    message = message_of(entry)
    if message is None or entry["type"] != "user" or entry.get("isMeta") is True:
        return None
    content = message.get("content")
    if isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in content
    ):
        return None
    uuid = entry.get("uuid")
    return readable(uuid) if isinstance(uuid, str) else None


def _run(store: SessionStore, session_id: str, run_id: str, entry: Mapping[str, Any], model: str) -> Run:
    try:
        return store.get_run(run_id)
    except RunNotFoundError:
        return Run.new(
            id=run_id,
            session_id=session_id,
            status=RunStatus.COMPLETED,
            provider="anthropic",
            provider_metadata={"model": readable(model)},
            started_at=entry_time(entry),
        )


def _added(run: Run, message_id: str, usage: TokenUsage) -> Run:
    last = run.metadata.get(_LAST) or {}
    if last.get("id") != readable(message_id):
        total, turns, known = run.token_usage + usage, run.turn_count + 1, usage
    else:
        known = TokenUsage(last["usage"]).greatest(usage)
        more = {name: known[name] - last["usage"].get(name, 0) for name in known}
        total, turns = TokenUsage({name: run.token_usage.get(name, 0) + more[name] for name in known}), run.turn_count
    metadata = {**run.metadata, _LAST: {"id": readable(message_id), "usage": dict(known)}}
    return msgspec.structs.replace(
        run, token_usage=total, turn_count=turns, metadata=metadata, ended_at=datetime.now(UTC)
    )


def entry_time(entry: Any) -> datetime | None:
    """Return the time that an entry has, or None."""
    text = entry.get("timestamp") if isinstance(entry, dict) else None
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
