"""A synchronous backend whose calls are awaited in an event loop: tests of the ports run through `asm_core.aio`."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

import asm_core as asm
from asm_contract_tests.together import PATIENCE
from asm_core.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


class Loop:
    """An event loop in a thread of its own; in a forked child, another one."""

    def __init__(self) -> None:
        self._start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine, and wait for its result."""
        if self._pid != os.getpid():
            self._start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def _start(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run_forever, name="awaited", daemon=True)
        self._thread.start()

    def _run_forever(self) -> None:
        while not self._is_stopped:
            with suppress(KeyboardInterrupt, SystemExit):  # they end a loop, after the task has them as its error
                self._loop.run_forever()

    def stop(self) -> None:
        if self._pid == os.getpid():
            self._is_stopped = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE)
            self._loop.close()
            self._pid = 0


class AwaitedPort:
    """A port: the coroutines that `find` returns, each run in the loop."""

    def __init__(self, loop: Loop, sync: object, find: Callable[[], Any]) -> None:
        self._loop = loop
        self._sync = sync
        self._find = find

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._sync, name)
        if not hasattr(self._find(), name):
            return found

        @wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            answer = getattr(self._find(), name)(*args, **kwargs)
            return self._followed(answer) if isinstance(answer, AsyncIterator) else self._loop.run(answer)

        return call

    def _followed(self, events: AsyncIterator[asm.Event]) -> Iterator[asm.Event]:
        async def following() -> asm.Event | None:
            return await anext(events, None)

        while (event := self._loop.run(following())) is not None:
            yield event


class AwaitedPorts(Ports):
    """The ports."""

    def __init__(self, loop: Loop, sync: Ports, find: Callable[[], Any]) -> None:
        self._loop = loop
        self._sync = sync
        self._find = find
        for name in ("session_store", "query_api", "maintenance", "artifact_registry", "state_store"):
            port = AwaitedPort(loop, getattr(sync, name), lambda name=name: getattr(find(), name))
            setattr(self, name, port)

    def transaction(self) -> Any:
        return self._entered(lambda: self._find().transaction())

    @contextmanager
    def _entered(self, begin: Callable[[], Any]) -> Iterator[Ports]:
        context = begin()
        bound = self._loop.run(context.__aenter__())
        try:
            with self._joined(bound):
                yield AwaitedPorts(self._loop, self._sync, lambda: bound)
        except BaseException as error:
            if not self._loop.run(context.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            self._loop.run(context.__aexit__(None, None, None))

    @contextmanager
    def _joined(self, _: Any) -> Iterator[None]:
        yield


class AwaitedBackend(AwaitedPorts, asm.Backend):
    """A backend; the calls of a thread that has a transaction open join it, as on a synchronous backend."""

    name = "awaited"

    def __init__(self, backend: asm.Backend) -> None:
        self._awaited = asm.aio.Backend(backend, owns=True)
        self._open = threading.local()
        self.name = backend.name  # type: ignore[misc]
        self.capabilities = backend.capabilities
        super().__init__(Loop(), backend, self._innermost)

    def bind(self, connection: Any) -> Any:
        return self._entered(lambda: self._awaited.bind(connection))

    def migrate(
        self, version: int | None = None, *, partitions: int | None = None, text_search: bool | None = None
    ) -> list[int]:
        found: list[int] = self._loop.run(
            self._awaited.migrate(version, partitions=partitions, text_search=text_search)
        )
        return found

    def schema_version(self) -> int:
        return int(self._loop.run(self._awaited.schema_version()))

    def text_index(self) -> asm.TextIndex:
        found: asm.TextIndex = self._loop.run(self._awaited.text_index())
        return found

    def close(self) -> None:
        self._loop.run(self._awaited.close())
        self._loop.stop()

    def _innermost(self) -> Any:
        return getattr(self._open, "bound", None) or self._awaited

    @contextmanager
    def _joined(self, bound: Any) -> Iterator[None]:
        outer, self._open.bound = getattr(self._open, "bound", None), bound
        try:
            yield
        finally:
            self._open.bound = outer
