"""The store of items that graphs share across threads."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from langgraph.store.base import BaseStore, GetOp, Item, ListNamespacesOp, PutOp, SearchItem, SearchOp

import asm_core as asm
from asm_core.integrating import escape_payload, restore_payload
from langgraph_checkpoint_asm.filters import passes
from langgraph_checkpoint_asm.namespaces import Labels, is_match, key_name, labels_of, name_of, start_of
from langgraph_checkpoint_asm.opening import OnBackend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langgraph.store.base import Op, Result, TTLConfig

    from asm_core.ports import Ports

_PAGE: Final = 500


class AsmStore(OnBackend, BaseStore):
    """Keeps items of LangGraph's graphs in a backend: memories, profiles, whatever threads share.

    For ``graph.compile(store=...)``. Each method has an asynchronous form. A batch reads first, and then stores all its
    puts or none. Items are searched by namespace and filter; there is no index of embeddings, so `query` is ignored.

    Attributes:
        aio: the backend's asynchronous form.

    >>> with AsmStore.open("sqlite:///:memory:", backend="memory") as store:
    ...     store.put(("users", "ann"), "likes", {"food": "pasta"})
    ...     store.get(("users", "ann"), "likes").value
    {'food': 'pasta'}
    """

    supports_ttl = True

    def __init__(
        self, backend: asm.Backend | asm.aio.Backend, *, ttl: TTLConfig | None = None, owns: bool = False
    ) -> None:
        """Store in `backend`, which the caller opened and migrated.

        Args:
            backend: a backend, or its asynchronous form.
            ttl: the defaults of expiry, `default_ttl` in minutes and `refresh_on_read`. An expired item is never
                returned.
            owns: whether `close` closes the backend.

        Raises:
            ValidationError: `ttl` has an interval of sweeps.
        """
        if ttl is not None and ttl.get("sweep_interval_minutes") is not None:
            message = "AsmStore has no sweeps, because no read returns an expired item. Omit sweep_interval_minutes."
            raise asm.ValidationError(message)
        self.ttl_config = ttl
        self._backend = self._use(backend, owns=owns)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Execute operations: all that read, and then those that write, in one transaction."""
        return self._execute(list(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Execute operations as `batch` does. A cancellation is raised after the operations have ended."""
        found: list[Result] = await self.aio.run(self._execute, list(ops))
        return found

    def _execute(self, ops: list[Op]) -> list[Result]:
        results = [self._read(op) for op in ops]
        # As in LangGraph's own stores, the last put of a key counts. The order prevents deadlocks.
        last = {(name_of(tuple(op.namespace)), key_name(op.key)): op for op in ops if isinstance(op, PutOp)}
        puts = sorted(last.items(), key=lambda one: one[0])
        if len(puts) == 1:
            _put(self._backend, *puts[0])
        elif puts:
            with self._backend.transaction() as ports:
                for place, op in puts:
                    _put(ports, place, op)
        return results

    def _read(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            return self._get(op)
        if isinstance(op, SearchOp):
            return self._search(op)
        if isinstance(op, ListNamespacesOp):
            return self._list_namespaces(op)
        if isinstance(op, PutOp):
            return None
        message = f"AsmStore has no operation {type(op).__name__}."
        raise asm.ValidationError(message)

    def _get(self, op: GetOp) -> Item | None:
        record = self._backend.state_store.get(name_of(tuple(op.namespace)), key_name(op.key))
        if record is None:
            return None
        if op.refresh_ttl:
            self._refresh(record)
        return Item(**_fields(record))

    def _search(self, op: SearchOp) -> list[SearchItem]:
        found: list[asm.StateRecord] = []
        for _, name in self._namespaces(op.namespace_prefix):
            for page in self._pages(name):
                found += [one for one in page if passes(_stored_value(one), op.filter)] if op.filter else page
        found.sort(key=_updated_at, reverse=True)
        chosen = found[op.offset : op.offset + op.limit]
        if op.refresh_ttl:
            for record in chosen:
                self._refresh(record)
        return [SearchItem(**_fields(record)) for record in chosen]

    def _list_namespaces(self, op: ListNamespacesOp) -> list[Labels]:
        conditions = op.match_conditions or ()
        found = {
            labels[: op.max_depth]
            for labels, _ in self._namespaces(())
            if all(is_match(condition, labels) for condition in conditions)
        }
        return sorted(found)[op.offset : op.offset + op.limit]

    def _namespaces(self, prefix: Labels) -> Iterator[tuple[Labels, str]]:
        """Yield the labels and the name of each namespace that begins with a path."""
        cursor: str | None = None
        while True:
            page = self._backend.state_store.list_namespaces(prefix=start_of(prefix), limit=_PAGE, cursor=cursor)
            for name in page.items:
                labels = labels_of(name) or self._stored_labels(name)
                if labels[: len(prefix)] == tuple(prefix) and labels:
                    yield labels, name
            cursor = page.cursor
            if cursor is None:
                return

    def _stored_labels(self, name: str) -> Labels:
        first = self._backend.state_store.list(name, limit=1).items
        return tuple(_fields(first[0])["namespace"]) if first else ()

    def _pages(self, name: str) -> Iterator[list[asm.StateRecord]]:
        cursor: str | None = None
        while True:
            page = self._backend.state_store.list(name, limit=_PAGE, cursor=cursor)
            yield page.items
            cursor = page.cursor
            if cursor is None:
                return

    def _refresh(self, record: asm.StateRecord) -> None:
        """Let an item live for its whole time from now on, unless it changes meanwhile."""
        minutes = record.value.get("ttl")
        if minutes is not None:
            with suppress(asm.RevisionConflictError):
                self._backend.state_store.put(
                    record.namespace,
                    record.key,
                    record.value,
                    expected_revision=record.revision,
                    expires_at=_end(minutes),
                )


def _put(ports: Ports, place: tuple[str, str], op: PutOp) -> None:
    if op.value is None:
        ports.state_store.delete(*place)
        return
    item = {"namespace": list(op.namespace), "key": op.key, "value": dict(op.value)}
    value = {
        "item": escape_payload(item),
        "updated_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "ttl": op.ttl,
    }
    ports.state_store.put(*place, value, expires_at=None if op.ttl is None else _end(op.ttl))


def _fields(record: asm.StateRecord) -> dict[str, Any]:
    """Return the fields of an item. The store's time of an update also changes when a read refreshes the expiry."""
    item = restore_payload(record.value["item"])
    return {
        "namespace": tuple(item["namespace"]),
        "key": item["key"],
        "value": item["value"],
        "created_at": record.created_at,
        "updated_at": datetime.fromisoformat(_updated_at(record)),
    }


def _updated_at(record: asm.StateRecord) -> str:
    """Return the time of the last put: in UTC and with microseconds, so that the texts sort like times."""
    text: str = record.value["updated_at"]
    return text


def _stored_value(record: asm.StateRecord) -> Any:
    return restore_payload(record.value["item"])["value"]


def _end(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)
