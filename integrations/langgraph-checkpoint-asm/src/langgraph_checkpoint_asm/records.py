"""Checkpoints and writes as events of the thread's session.

================================= ===================================================================================
type                              data
================================= ===================================================================================
``langgraph.checkpoint``          a checkpoint of the graph; ``ns``, ``id``, ``parent``, ``checkpoint``, ``metadata``
``langgraph.subgraph_checkpoint`` the same of a subgraph
``langgraph.writes``              a task wrote: ``ns``, ``checkpoint_id``, ``task_id``, ``task_path``, ``writes``
``langgraph.run``                 a marker: a checkpoint of the run ``run_id`` is in the session
================================= ===================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple

import asm_core as asm
from asm_core.integrating import composed_id, escape_payload, restore_payload
from asm_core.values.ids import new_id
from asm_core.values.times import utc_now
from langgraph_checkpoint_asm.serialization import dump, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, PendingWrite
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from asm_core.integrating import EventContent

    Stored = asm.Event | EventContent

CHECKPOINT: Final = "langgraph.checkpoint"
SUBGRAPH_CHECKPOINT: Final = "langgraph.subgraph_checkpoint"
CHECKPOINTS: Final = (CHECKPOINT, SUBGRAPH_CHECKPOINT)
WRITES: Final = "langgraph.writes"
RUN: Final = "langgraph.run"
KIND: Final = "langgraph"
"""The first word of ids, and the tag of sessions."""


class Place(NamedTuple):
    """Where a checkpoint belongs: a thread, and in it the graph (an empty namespace) or one of its subgraphs."""

    thread_id: str
    ns: str

    @classmethod
    def of(cls, config: RunnableConfig) -> Place:
        """Return the place that a configuration names."""
        configurable = config["configurable"]
        return cls(str(configurable["thread_id"]), str(configurable.get("checkpoint_ns") or ""))

    @property
    def session_id(self) -> str:
        """The session of the thread."""
        return composed_id(KIND, self.thread_id)

    @property
    def type(self) -> str:
        """The type of its checkpoints."""
        return SUBGRAPH_CHECKPOINT if self.ns else CHECKPOINT

    @property
    def key(self) -> str:
        """The correlation id of a subgraph's checkpoints."""
        return composed_id(f"{KIND}.ns", *self)

    def event_id(self, checkpoint_id: str) -> str:
        """Return the id of the event of a checkpoint, which is also the correlation id of the writes to it."""
        return composed_id(CHECKPOINT, *self, checkpoint_id)

    def config(self, checkpoint_id: str) -> RunnableConfig:
        """Return the configuration of a checkpoint."""
        return {
            "configurable": {
                "thread_id": self.thread_id,
                "checkpoint_ns": self.ns,
                "checkpoint_id": checkpoint_id,
            }
        }


def run_key(run_id: str) -> str:
    """Return the correlation id of the markers of a run of LangGraph's."""
    return composed_id(RUN, run_id)


def checkpoint_event(
    serde: SerializerProtocol,
    place: Place,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    *,
    parent: str | None,
    run_id: str,
    is_late: bool,
) -> asm.Event:
    """Return the event of a checkpoint; late: a checkpoint with a greater id is already stored."""
    data = {
        "ns": escape_payload(place.ns),
        "id": escape_payload(checkpoint["id"]),
        "parent": escape_payload(parent),
        "source": escape_payload(str(metadata.get("source"))),
        "checkpoint": dump(serde, checkpoint),
        "metadata": dump(serde, metadata),
    }
    # The store checks events when they are appended; Event.new would check them twice.
    return asm.Event(
        type=place.type,
        id=place.event_id(checkpoint["id"]),
        timestamp=utc_now(),
        session_id=place.session_id,
        run_id=run_id,
        correlation_id=place.key if place.ns else None,
        data={**data, "late": True} if is_late else data,
    )


def writes_event(
    serde: SerializerProtocol,
    place: Place,
    checkpoint_id: str,
    writes: Sequence[tuple[str, Any]],
    *,
    task: tuple[str, str],
    run_id: str | None,
) -> asm.Event:
    """Return the event of the writes of a task, which has an id and a path."""
    stored = [
        [WRITES_IDX_MAP.get(channel, index), escape_payload(channel), dump(serde, value)]
        for index, (channel, value) in enumerate(writes)
    ]
    return asm.Event(
        type=WRITES,
        id=new_id("evt"),
        timestamp=utc_now(),
        session_id=place.session_id,
        run_id=run_id,
        correlation_id=place.event_id(checkpoint_id),
        data={
            "ns": escape_payload(place.ns),
            "checkpoint_id": escape_payload(checkpoint_id),
            "task_id": escape_payload(task[0]),
            "task_path": escape_payload(task[1]),
            "writes": stored,
        },
    )


def run_event(place: Place, run_id: str) -> asm.Event:
    """Return the marker of a run in a thread."""
    return asm.Event.new(
        type=RUN,
        id=composed_id(RUN, place.thread_id, run_id),
        session_id=place.session_id,
        correlation_id=run_key(run_id),
        data={"run_id": escape_payload(run_id)},
    )


def text(event: Stored, name: str) -> Any:
    """Return a text of an event's data, or None."""
    return restore_payload(event.data[name])


def is_late(event: Stored) -> bool:
    """Return whether a checkpoint with a greater id was stored before."""
    return "late" in event.data


def read_metadata(serde: SerializerProtocol, event: Stored) -> CheckpointMetadata:
    """Return the metadata of a checkpoint."""
    metadata: CheckpointMetadata = load(serde, event.data["metadata"])
    return metadata


def read_tuple(
    serde: SerializerProtocol,
    thread_id: str,
    event: Stored,
    writes: Iterable[Stored],
    config: RunnableConfig | None = None,
) -> CheckpointTuple:
    """Return a checkpoint with the writes of its tasks."""
    place = Place(thread_id, text(event, "ns"))
    parent = text(event, "parent")
    return CheckpointTuple(
        config=config or place.config(text(event, "id")),
        checkpoint=load(serde, event.data["checkpoint"]),
        metadata=read_metadata(serde, event),
        parent_config=place.config(parent) if parent else None,
        pending_writes=_merged(serde, writes),
    )


def _merged(serde: SerializerProtocol, events: Iterable[Stored]) -> list[PendingWrite]:
    """Return the writes in the order in which LangGraph applies them.

    A task's first write of an index stays. One of a special channel, which has a negative index, replaces the stored.
    """
    kept: dict[tuple[str, int], tuple[tuple[str, str, int], str, list[str]]] = {}
    for event in events:
        task_id, path = text(event, "task_id"), text(event, "task_path")
        for index, channel, value in event.data["writes"]:
            if index < 0 or (task_id, index) not in kept:
                kept[task_id, index] = ((path, task_id, index), restore_payload(channel), value)
    ordered = sorted(kept.values(), key=lambda write: write[0])
    return [(order[1], channel, load(serde, value)) for order, channel, value in ordered]
