"""Which messages of a graph have events already, and what they add to runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asm_core as asm
from langgraph_checkpoint_asm import reading
from langgraph_checkpoint_asm.messages import MESSAGE_TYPES, key_of, known_key, messages_in, usage_of
from langgraph_checkpoint_asm.records import Place
from langgraph_checkpoint_asm.serialization import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_core.messages import BaseMessage
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from asm_core.ports import Ports

_KNOWN_EVENTS: Final = 2_000
_OWN_CHANNELS: Final = ("__", "branch:")


def keyed_messages(values: Iterable[tuple[str, Any]]) -> dict[str, BaseMessage]:
    """Return the messages in the values of channels, by their keys; LangGraph's own channels are skipped."""
    return {
        key_of(message, position): message
        for channel, value in values
        if not channel.startswith(_OWN_CHANNELS)
        for position, message in enumerate(messages_in(value))
    }


def known_messages(ports: Ports, serde: SerializerProtocol, place: Place) -> set[str]:
    """Return the keys of messages of a thread that have events, or had them before the log was pruned."""
    recent = ports.session_store.get_events(place.session_id, type=MESSAGE_TYPES, limit=_KNOWN_EVENTS, order="desc")
    known = {key for event in recent if (key := known_key(event))}
    head = reading.latest(ports, Place(place.thread_id, ""))
    values: Mapping[str, Any] = {} if head is None else load(serde, head.data["checkpoint"])["channel_values"]
    return known.union(keyed_messages(values.items()))


def add_usage(ports: Ports, place: Place, run_id: str, messages: Iterable[BaseMessage]) -> None:
    """Add what responses of models took to their run, which is stored with the first."""
    store = ports.session_store
    try:
        run = store.get_run(run_id)
    except asm.RunNotFoundError:
        # A saver is not told when a graph ends: the run counts as ended at each response.
        run = asm.Run.new(id=run_id, session_id=place.session_id, status="running").with_status("completed")
    for message in messages:
        usage = usage_of(message)
        if usage is None:
            continue
        run = run.add_token_usage(usage.counts).next_turn()
        if usage.model:
            run = run.with_provider_metadata({"model": usage.model})
        if usage.provider:
            run = asm.Run.from_dict({**run.to_dict(), "provider": usage.provider})
    store.save_run(run)
