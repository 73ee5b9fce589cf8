"""The backend for asyncio."""

from __future__ import annotations

import asyncio
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from asm_core import plugins, ports
from asm_core.aio.calls import Calls
from asm_core.aio.ports import Artifacts, Schema
from asm_core.aio.transactions import Ports, begun
from asm_core.errors import ValidationError, short_repr
from asm_core.event_log.waiting import check_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from asm_core.aio.transactions import BoundPorts

T = TypeVar("T")


class Backend(Ports, Schema):
    """The five ports of one store, for asyncio. Safe to share between tasks, event loops and threads.

    Calls run in threads of the backend's own, as many as `asm_core.Backend.connections`. A call that waits for events
    takes no thread. A cancelled call leaves its write whole or undone: the caller waits until the thread has ended it.

    Attributes:
        sync: the synchronous backend.
        session_store: its session store.
        query_api: its searches.
        maintenance: its maintenance.
        artifact_registry: its artifacts.
        state_store: its records of state.
    """

    sync: ports.Backend

    def __init__(self, backend: ports.Backend, *, owns: bool = False) -> None:
        """Await the calls of `backend`; with `owns`, `close` closes it too."""
        self.sync = backend
        self._owns = owns
        self._is_borrowed = False
        self._all_calls = Calls(backend.connections)
        Ports.__init__(self, backend, self._all_calls)
        Schema.__init__(self, backend, self._all_calls)

    @property
    def name(self) -> str:
        """The name of the backend in the configuration."""
        return self.sync.name

    @property
    def capabilities(self) -> frozenset[ports.Capability]:
        """The declared capabilities."""
        return self.sync.capabilities

    def artifacts(self, store: ports.ArtifactStore) -> Artifacts:
        """Return artifacts whose content is in `store`, and whose metadata is in this backend's registry."""
        return Artifacts(self.sync.artifacts(store), self._all_calls)

    async def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call a function that uses `sync`, in one of the backend's threads, and return its result.

        Several calls of the ports, and their transaction, then take one thread, and one hop from the loop. If the task
        is cancelled, the function has not begun, or has ended before the cancellation is raised.

        Raises:
            StorageError: the backend is closed, or a transaction is open in this context.
        """
        return await self._all_calls.run(function, *args, **kwargs)

    def transaction(self) -> AbstractAsyncContextManager[BoundPorts]:
        """Return a context that yields the ports of a transaction.

        It commits at the end, and rolls back on an exception, also on a cancellation. Only calls on the yielded ports
        are part of it. A call on the backend's own ports in the same task, or in a task that it starts, raises
        `StorageError`.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `transactions`.
            StorageError: a transaction is open in this context.
        """
        return begun(self._all_calls, self.sync.transaction)

    def bind(self, connection: Any) -> AbstractAsyncContextManager[BoundPorts]:
        """Return a context that yields ports in the caller's transaction on `connection`, as `transaction` does.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `bind`.
        """
        return begun(self._all_calls, partial(self.sync.bind, connection))

    async def close(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109  the calls that it waits for are not its own
        """Reject further calls, wait for those under way, and release what `open_backend` opened.

        Followers and other calls that wait for events raise `StorageError` at once. Closing twice is a no-op, and so is
        closing what `wrap` returned for a backend for asyncio.

        Raises:
            StorageError: calls are still under way after `timeout` seconds. Nothing is released yet.
        """
        if self._is_borrowed:
            return
        await self._all_calls.finish(check_wait("timeout", timeout))
        owns, self._owns = self._owns, False
        if owns:
            await self._all_calls.in_thread(self.sync.close)
        self._all_calls.end()

    def _borrowed(self) -> Self:
        """Return the same backend for code that must not close it."""
        borrowed = copy(self)
        borrowed._is_borrowed = True  # noqa: SLF001  of this class
        return borrowed

    async def __aenter__(self) -> Self:
        """Return the backend."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the backend."""
        await self.close()


class Opening:
    """A backend that is being opened: ``async with`` it, or ``await`` it and close it later."""

    def __init__(self, name: str | None, arguments: dict[str, Any]) -> None:
        """Open with the arguments of `asm_core.open_backend`."""
        self._name = name
        self._arguments = arguments
        self._backend: Backend | None = None

    def __await__(self) -> Generator[Any, None, Backend]:
        """Open the backend."""
        return self._open().__await__()

    async def __aenter__(self) -> Backend:
        """Open the backend."""
        self._backend = await self._open()
        return self._backend

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the backend."""
        if self._backend is not None:
            await self._backend.close()

    async def _open(self) -> Backend:
        opened: list[ports.Backend] = []
        calls = Calls(1)
        try:
            await calls.in_thread(lambda: opened.append(plugins.open_backend(self._name, **self._arguments)))
        except asyncio.CancelledError:
            if opened:
                await calls.in_thread(opened[0].close)
            raise
        finally:
            calls.end()
        return Backend(opened[0], owns=True)


def open_backend(
    name: str | None = None,
    *,
    url: str | None = None,
    migrate: bool = False,
    store: str | None = None,
    **options: Any,
) -> Opening:
    """Open a store with the backend of this name, as `asm_core.open_backend` does, in a thread.

    Use it as ``async with asm.aio.open_backend(...) as backend``, or ``backend = await asm.aio.open_backend(...)``.
    """
    return Opening(name, {"url": url, "migrate": migrate, "store": store, **options})


def wrap(backend: ports.Backend | Backend, *, owns: bool = False) -> Backend:
    """Return the asynchronous form of an open backend, for code that accepts both forms.

    Args:
        backend: a backend, or its asynchronous form.
        owns: whether closing the result closes `backend` too.

    Raises:
        ValidationError: `backend` is neither.
    """
    if isinstance(backend, Backend):
        return backend if owns else backend._borrowed()  # noqa: SLF001  of this class
    if not isinstance(backend, ports.Backend):
        message = f"wrap() takes an open asm_core.Backend, not {short_repr(backend)}."
        raise ValidationError(message)
    return Backend(backend, owns=owns)
