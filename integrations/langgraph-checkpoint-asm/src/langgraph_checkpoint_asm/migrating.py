"""Copies of what LangGraph's own saver and stores have."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore, SearchItem

T = TypeVar("T")

_PAGE: Final = 100
_CHECKPOINTS = "SELECT * FROM checkpoints ORDER BY thread_id, checkpoint_id"
_WRITES = (
    "SELECT * FROM writes WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? ORDER BY task_id, idx, rowid"
)


def copy_sqlite_checkpoints(path: str | Path, saver: BaseCheckpointSaver[Any]) -> int:
    """Copy the checkpoints and writes of a file of LangGraph's `SqliteSaver`; return the number of checkpoints.

    The file is only read. The call can be repeated: what is stored stays as it is.

    Raises:
        FileNotFoundError: there is no such file.
        sqlite3.OperationalError: it is no file of that saver.
    """
    file = Path(path).resolve(strict=True)
    count = 0
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute(_CHECKPOINTS):
            place = {"thread_id": row["thread_id"], "checkpoint_ns": row["checkpoint_ns"]}
            saver.put(
                {"configurable": {**place, **_parent(row)}},
                saver.serde.loads_typed((row["type"], row["checkpoint"])),
                json.loads(row["metadata"]) if row["metadata"] else {},
                {},
            )
            config: Any = {"configurable": {**place, "checkpoint_id": row["checkpoint_id"]}}
            stored = saver.get_tuple(config)
            known = {write[0] for write in (stored.pending_writes or [] if stored else [])}
            for writes, task_id, task_path in _tasks(connection, row, saver):
                if task_id not in known:
                    saver.put_writes(config, writes, task_id, task_path)
            count += 1
    return count


def copy_items(source: BaseStore, store: BaseStore) -> int:
    """Copy the items of any store of LangGraph's; return their number.

    `source` is only read. The call can be repeated: an item of the same namespace and key is replaced. Times are those
    of the copy. Expiries are not copied, because a store does not report them.
    """
    count = 0
    for item in _items(source):
        store.put(item.namespace, item.key, item.value)
        count += 1
    return count


def _items(source: BaseStore) -> Iterator[SearchItem]:
    for namespace in list(_pages(lambda at: source.list_namespaces(limit=_PAGE, offset=at))):
        # A search also finds the items of the namespaces below.
        below = _pages(partial(_search, source, namespace))
        yield from (item for item in list(below) if item.namespace == namespace)


def _search(source: BaseStore, namespace: tuple[str, ...], at: int) -> list[SearchItem]:
    return source.search(namespace, limit=_PAGE, offset=at, refresh_ttl=False)


def _pages(read: Callable[[int], list[T]]) -> Iterator[T]:
    at = 0
    while page := read(at):
        yield from page
        at += len(page)


def _parent(row: sqlite3.Row) -> dict[str, str]:
    return {"checkpoint_id": row["parent_checkpoint_id"]} if row["parent_checkpoint_id"] else {}


def _tasks(
    connection: sqlite3.Connection, row: sqlite3.Row, saver: BaseCheckpointSaver[Any]
) -> Iterator[tuple[list[tuple[str, Any]], str, str]]:
    """Yield the writes of each task of a checkpoint, with its id and path."""
    tasks: dict[str, list[sqlite3.Row]] = {}
    for write in connection.execute(_WRITES, (row["thread_id"], row["checkpoint_ns"], row["checkpoint_id"])):
        tasks.setdefault(write["task_id"], []).append(write)
    for task_id, found in tasks.items():
        # A write's index is its place in the task's list; those of special channels have a negative one instead.
        special = [write for write in found if write["idx"] < 0]
        writes: list[sqlite3.Row] = []
        for write in found[len(special) :]:
            while special and len(writes) < write["idx"]:
                writes.append(special.pop())
            writes.append(write)
        told = [(write["channel"], saver.serde.loads_typed((write["type"], write["value"]))) for write in writes]
        rest = [(write["channel"], saver.serde.loads_typed((write["type"], write["value"]))) for write in special]
        # Files of older versions have no paths.
        yield told + rest, task_id, found[0]["task_path"] if "task_path" in found[0].keys() else ""  # noqa: SIM118
