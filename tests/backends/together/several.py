"""Several backends as one: taking turns on one database, or each on its own with the same calls."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from asm_contract_tests.rules.machine.answers import shape
from asm_core import AsmError, Backend, Capability, Ports, TextIndex

PORTS = ("session_store", "query_api", "maintenance", "artifact_registry", "state_store")
Work = Callable[[Backend], Any]


class _Port:
    """A port whose every call is one of the backends', as `call` says."""

    def __init__(self, name: str, call: Callable[[Work], Any]) -> None:
        self._name = name
        self._call = call

    def __getattr__(self, method: str) -> Any:
        return lambda *args, **options: self._call(
            lambda backend: getattr(getattr(backend, self._name), method)(*args, **options)
        )


class _Several(Backend):
    """What both kinds have in common."""

    name = "several"
    capabilities = frozenset(Capability) - {Capability.BIND}

    def __init__(self, backends: list[Any]) -> None:
        self.backends = backends
        for port in PORTS:
            setattr(self, port, _Port(port, self._call))

    def _call(self, work: Work) -> Any:
        raise NotImplementedError

    def migrate(
        self, version: int | None = None, *, partitions: int | None = None, text_search: bool | None = None
    ) -> list[int]:
        return list(
            self._call(lambda backend: backend.migrate(version, partitions=partitions, text_search=text_search))
        )

    def schema_version(self) -> int:
        return int(self._call(lambda backend: backend.schema_version()))

    def text_index(self) -> TextIndex:
        return TextIndex(self._call(lambda backend: backend.text_index()))

    def close(self) -> None:
        for backend in self.backends:
            backend.close()


class TakingTurns(_Several):
    """Backends on one database: each call is made by any one of them; a transaction is all of one."""

    def __init__(self, backends: list[Any]) -> None:
        super().__init__(backends)
        self._random = random.Random(len(backends))  # noqa: S311  no secrets
        self._pinned: ContextVar[Backend | None] = ContextVar("pinned", default=None)
        # The tasks of a thread too: on PostgreSQL, one would wait for the lock of another through another backend.
        self._of_thread = threading.local()

    def _call(self, work: Work) -> Any:
        return work(self._whose_turn())

    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        before, pinned = self._pinned.get(), self._whose_turn()
        with pinned.transaction() as ports:
            self._pinned.set(pinned)
            self._of_thread.pinned = pinned
            try:
                yield ports
            finally:
                self._pinned.set(before)
                self._of_thread.pinned = before

    def _whose_turn(self) -> Backend:
        return self._pinned.get() or getattr(self._of_thread, "pinned", None) or self._random.choice(self.backends)


class InStep(_Several):
    """Backends on databases of their own: each call is made to all of them, and all must answer alike."""

    def _call(self, work: Work) -> Any:
        answers = [_answer(work, backend) for backend in self.backends]
        told = [(type(error).__name__, shape(found)) for found, error in answers]
        assert all(one == told[0] for one in told), told
        found, error = answers[0]
        if error is not None:
            raise error
        return iter(found) if isinstance(found, _Read) else found

    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        with ExitStack() as stack:
            yield InStep([stack.enter_context(backend.transaction()) for backend in self.backends])


class _Read(list[Any]):
    """What an iterator gave."""


def _answer(work: Work, backend: Backend) -> tuple[Any, AsmError | None]:
    try:
        found = work(backend)
        return _Read(found) if isinstance(found, Iterator) else found, None
    except AsmError as error:
        return None, error
