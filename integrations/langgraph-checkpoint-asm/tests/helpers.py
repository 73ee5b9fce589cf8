"""What the tests of the saver share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple


def config_of(thread: str = "t", ns: str = "", checkpoint_id: str | None = None) -> Any:
    """Return the configuration of a checkpoint."""
    named = {} if checkpoint_id is None else {"checkpoint_id": checkpoint_id}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ns, **named}}


def checkpoint_of(values: dict[str, Any], checkpoint_id: str | None = None) -> Any:
    """Return a checkpoint of these values."""
    checkpoint = empty_checkpoint()
    versions: Any = dict.fromkeys(values, 1)
    return {**checkpoint, "id": checkpoint_id or str(uuid6()), "channel_values": values, "channel_versions": versions}


def put(saver: BaseCheckpointSaver[Any], config: Any, values: dict[str, Any], **metadata: Any) -> Any:
    """Store a checkpoint of these values; return its configuration."""
    checkpoint = checkpoint_of(values, metadata.pop("checkpoint_id", None))
    told: Any = {"source": "loop", "step": 0, "parents": {}, **metadata}
    return saver.put(config, checkpoint, told, checkpoint["channel_versions"])


def plain(found: CheckpointTuple | None) -> Any:
    """Return what two savers must agree on."""
    if found is None:
        return None
    return (
        found.config["configurable"],
        found.checkpoint,
        dict(found.metadata),
        found.parent_config,
        found.pending_writes,
    )
