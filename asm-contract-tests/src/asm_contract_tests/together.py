"""Doing things at once, in threads and in processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import traceback
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from asm_core import Backend

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which a call that should have ended counts as hung. No bar of speed: calls end in milliseconds."""


def in_threads(*works: Callable[[], T]) -> list[T]:
    """Do these things at once, each in a thread of its own, and return what each gave, in their order."""
    barrier = threading.Barrier(len(works))

    def start(work: Callable[[], T]) -> T:
        barrier.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(start, work) for work in works]
        return [future.result(PATIENCE) for future in futures]


@contextmanager
def begun(work: Callable[[], T]) -> Iterator[Future[T]]:
    """Do something in a thread meanwhile; it has ended when the context does."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work)


class Child:
    """A forked process that does `work` with a handle of its own, which it opens after the fork.

    Or with the one that it inherits, where `open_backend` returns that; the child closes it at its end. The work is
    given the backend and a function that hands something picklable to the parent.
    """

    def __init__(
        self, open_backend: Callable[[], Backend], work: Callable[[Backend, Callable[[Any], None]], Any]
    ) -> None:
        """Fork; the work begins once `go` was called."""
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_child, args=(theirs, open_backend, work), daemon=True)
        with warnings.catch_warnings():
            # Python warns of forking beside threads, which plugins of pytest start; the child needs no lock of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()

    def go(self) -> None:
        """Let the child open its handle, and then, the second time, begin with the work."""
        self._pipe.send("go")

    def receive(self) -> Any:
        """Return what the child handed over, None at its end: ``("awake", None)``, ``("said", value)`` and so on."""
        if not self._pipe.poll(PATIENCE):
            pytest.fail(f"a process said nothing for {PATIENCE} seconds")
        try:
            return self._pipe.recv()
        except (EOFError, OSError):  # the second, where it was killed in the middle of a word
            return None

    def said(self) -> Any:
        """Return what the child said next."""
        return self._expect("said")

    def opens_within(self, seconds: float) -> bool:
        """Return whether the child opened its handle within so many seconds."""
        return self._pipe.poll(seconds)

    def listen(self, seconds: float) -> list[Any]:
        """Return what the child said within so many seconds."""
        heard, end = [], time.monotonic() + seconds
        while self._pipe.poll(max(0, end - time.monotonic())):
            heard.append(self.said())
        return heard

    def last_words(self) -> list[Any]:
        """Kill the child, and return what it had said that nobody has heard yet."""
        self.kill()
        return list(iter(self._said_before, None))

    def awake(self) -> None:
        """Wait until the child is there, about to open its handle."""
        self._expect("awake")

    def ready(self) -> None:
        """Wait until the child has opened its handle."""
        self._expect("ready")

    def result(self) -> Any:
        """Return what the work gave."""
        return self._expect("done")

    def kill(self) -> None:
        """End the child as a power failure would, and wait until it is gone."""
        self._process.kill()
        self._process.join(PATIENCE)

    def end(self) -> None:
        """End the child if it still runs, and forget it."""
        self.kill()
        self._pipe.close()
        self._process.close()

    def _said_before(self) -> Any:
        return None if (message := self.receive()) is None else self._told("said", message)

    def _expect(self, kind: str) -> Any:
        message = self.receive()
        if message is None:
            pytest.fail(f"a process ended where {kind!r} was expected, with exit status {self._process.exitcode}")
        return self._told(kind, message)

    def _told(self, kind: str, message: tuple[str, Any]) -> Any:
        found, value = message
        if found != kind:
            pytest.fail(f"in another process, {found} where {kind!r} was expected: {value}")
        return value


def need_fork() -> None:
    """Skip the test where processes cannot be forked."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this platform cannot fork, and a factory of backends cannot be handed to another process")


@contextmanager
def children(
    open_backend: Callable[[], Backend], works: Sequence[Callable[[Backend, Callable[[Any], None]], Any]]
) -> Iterator[list[Child]]:
    """Fork a process for each work; all open their handles at once, and when all have, begin at once."""
    need_fork()
    forked: list[Child] = []
    try:
        for work in works:
            forked.append(Child(open_backend, work))  # noqa: PERF401  if one fails, those before it must end
        for child in forked:
            child.awake()
        for child in forked:
            child.go()
        for child in forked:
            child.ready()
        for child in forked:
            child.go()
        yield forked
    finally:
        for child in forked:
            child.end()


def in_processes(open_backend: Callable[[], Backend], *works: Callable[[Backend], Any]) -> list[Any]:
    """Do these things at once, each in a process of its own, and return what each gave, in their order."""
    quiet = [_quiet(work) for work in works]
    with children(open_backend, quiet) as forked:
        return [child.result() for child in forked]


def _quiet(work: Callable[[Backend], Any]) -> Callable[[Backend, Callable[[Any], None]], Any]:
    return lambda backend, _: work(backend)


def _child(
    pipe: Connection[Any, Any],
    open_backend: Callable[[], Backend],
    work: Callable[[Backend, Callable[[Any], None]], Any],
) -> None:
    # Whatever happens, nothing of the parent's pytest may run on in here.
    try:
        pipe.send(("awake", None))
        pipe.recv()
        with open_backend() as backend:
            pipe.send(("ready", None))
            pipe.recv()
            result = work(backend, lambda value: pipe.send(("said", value)))
        pipe.send(("done", result))
    except BaseException:  # noqa: BLE001  it is told to the parent
        pipe.send(("failed", traceback.format_exc()))
    finally:
        pipe.close()
        os._exit(0)
