"""Invocations as runs of the store, with their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from asm_core import Run, RunNotFoundError, RunStatus, TokenUsage, ValidationError
from asm_core.integrating import readable
from google_adk_asm.values import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.adk.events import Event as AdkEvent

    from asm_core import SessionStore

_LONGEST_NAME: Final = 100


def changes_run(event: AdkEvent) -> bool:
    """Return whether an event has tokens or ends its run; other events only begin one."""
    return event.author != "user" and (event.usage_metadata is not None or event.is_final_response())


def save_run(store: SessionStore, session_id: str, run_id: str, events: Iterable[AdkEvent], provider: str) -> None:
    """Save a run with what new events add to it. The transaction of `store` has locked the session's log."""
    try:
        run = store.get_run(run_id)
    except RunNotFoundError:
        run = Run.new(id=run_id, session_id=session_id, status=RunStatus.RUNNING, provider=provider)
    for event in events:
        if run.revision == 0 and event.timestamp:
            run = msgspec.structs.replace(run, started_at=min(run.started_at, time_of(event.timestamp)))
        if event.author != "user":
            run = _added(run, event)
    store.save_run(run)


def _added(run: Run, event: AdkEvent) -> Run:
    if event.usage_metadata is not None:
        run = run.next_turn().add_token_usage(_usage(event))
    if event.model_version and (model := readable(event.model_version.replace("\0", ""))[:_LONGEST_NAME]):
        run = run.with_provider_metadata({"model": model})
    if run.status is RunStatus.RUNNING and event.is_final_response():
        if event.error_code and not event.content:
            error = {"code": readable(event.error_code), "message": readable(event.error_message)}
            return run.with_status(RunStatus.FAILED).with_error(error)
        return run.with_status(RunStatus.COMPLETED)
    return run


def _usage(event: AdkEvent) -> TokenUsage:
    usage = event.usage_metadata
    counts = {} if usage is None else {name: count for name, count in usage if isinstance(count, int)}
    sums = {"input_tokens": counts.get("prompt_token_count"), "output_tokens": counts.get("candidates_token_count")}
    thoughts = counts.get("thoughts_token_count", 0)
    if thoughts and counts.get("total_token_count") == sum(filter(None, sums.values())):
        # Of other models than Gemini, the framework reports thoughts that are in the output.
        counts["candidates_token_count"] -= min(thoughts, sums["output_tokens"] or 0)
    try:
        return TokenUsage.from_provider(counts)
    except ValidationError:  # counts that this version does not know, or parts that exceed their whole
        return TokenUsage({name: count for name, count in sums.items() if count and count > 0})
