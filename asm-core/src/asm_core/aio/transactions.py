"""Transactions in event loops: their ports, and how they begin and end."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from asm_core.aio.calls import Calls, Lane, entered
from asm_core.aio.ports import ArtifactRegistry, Maintenance, QueryAPI, SessionStore, StateStore
from asm_core.concurrency.transactions import ended, nested_open

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from asm_core import ports
    from asm_core.aio.facade import StoreCalls
    from asm_core.models import Event, StoredEvent

T = TypeVar("T")


class Ports:
    """The ports of one transaction, for asyncio. Tasks may share them; their calls run one at a time.

    Attributes:
        session_store: the session store.
        query_api: the searches.
        maintenance: the maintenance.
        artifact_registry: the artifacts.
        state_store: the records of state.
    """

    def __init__(self, bound: ports.Ports, calls: StoreCalls) -> None:
        """Run the calls of `bound` with `calls`."""
        self.session_store = SessionStore(bound.session_store, calls)
        self.query_api = QueryAPI(bound.query_api, calls)
        self.maintenance = Maintenance(bound.maintenance, calls)
        self.artifact_registry = ArtifactRegistry(bound.artifact_registry, calls)
        self.state_store = StateStore(bound.state_store, calls)


class BoundPorts(Ports):
    """The ports of one transaction, in which others can be nested."""

    def __init__(self, bound: ports.Ports, level: Level) -> None:
        """Run the calls of `bound` on the level of the transaction."""
        super().__init__(bound, level)
        self._begin = bound.transaction
        self._level = level

    def transaction(self) -> AbstractAsyncContextManager[BoundPorts]:
        """Return a context that yields the ports of a transaction nested in this one.

        It rolls back by itself, and commits with the outer one. While it is open, calls on the outer ports raise.
        """
        return _nested(self._level, self._begin)


class Level:
    """One of the transactions of a lane, nested in each other."""

    def __init__(self, lane: Lane) -> None:
        """Begin without an inner one."""
        self.lane = lane
        self.is_over = False
        self.has_inner = False

    async def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call a function of a bound port.

        Raises:
            StorageError: the transaction has ended, or a nested one is open.
        """
        self.check()
        return await self.lane.calls.in_steps(self.lane.call, partial(function, *args, **kwargs))

    async def append(self, store: ports.SessionStore, events: Iterable[Event]) -> list[StoredEvent]:
        """Append events in the transaction."""
        return await self.run(store.append_events, events)

    def check(self) -> None:
        """Reject calls that would be outside of the innermost transaction."""
        if self.is_over:
            raise ended()
        if self.has_inner:
            raise nested_open()


@asynccontextmanager
async def begun(calls: Calls, begin: Callable[[], AbstractContextManager[ports.Ports]]) -> AsyncIterator[BoundPorts]:
    """Yield the ports of a transaction that `begin` begins: roll back on an exception, also on a cancellation."""
    lane = await calls.open_lane()
    try:
        async with _entered(Level(lane), begin) as bound:
            entered.set((*(other for other in entered.get() if not other.is_over), lane))
            yield bound
    finally:
        calls.close_lane(lane)


@asynccontextmanager
async def _nested(outer: Level, begin: Callable[[], AbstractContextManager[ports.Ports]]) -> AsyncIterator[BoundPorts]:
    outer.check()
    outer.has_inner = True
    try:
        async with _entered(Level(outer.lane), begin) as bound:
            yield bound
    finally:
        outer.has_inner = False


@asynccontextmanager
async def _entered(level: Level, begin: Callable[[], AbstractContextManager[ports.Ports]]) -> AsyncIterator[BoundPorts]:
    """Enter a context in the lane's thread, and leave it there in any case."""
    context = begin()
    found: list[ports.Ports] = []
    try:
        await level.lane.call(lambda: found.append(context.__enter__()))
        yield BoundPorts(found[0], level)
    except BaseException as error:
        level.is_over = True
        if found and await _left(level.lane, context, type(error), error, error.__traceback__):
            return
        raise
    level.is_over = True
    await _left(level.lane, context, None, None, None)


async def _left(lane: Lane, context: AbstractContextManager[Any], *ending: Any) -> bool:
    """Leave a context in the lane's thread; return whether it has handled the exception."""
    # Not in a `partial`, which would free the function: see `asm_core.concurrency.contexts`.
    leave = context.__exit__
    return bool(await lane.call(lambda: leave(*ending), certain=True))
