"""Concurrent work, in threads and in processes."""

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
"""Seconds after which a call counts as hung. This is not a measure of speed: calls end in milliseconds."""


def in_threads(*works: Callable[[], T]) -> list[T]:
    """Call these functions concurrently, each in its own thread, and return their results in order."""
    barrier = threading.Barrier(len(works))

    def start(work: Callable[[], T]) -> T:
        barrier.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(start, work) for work in works]
        return [future.result(PATIENCE) for future in futures]


@contextmanager
def begun(work: Callable[[], T]) -> Iterator[Future[T]]:
    """Call a function in a thread during the context, which waits for its end."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work)


class Child:
    """A forked process that does `work` with its own handle, opened after the fork.

    If `open_backend` returns an inherited handle, it uses that. The child closes the handle at its end. The work gets
    the backend, and a function that sends a picklable value to the parent.
    """

    def __init__(
        self, open_backend: Callable[[], Backend], work: Callable[[Backend, Callable[[Any], None]], Any]
    ) -> None:
        """Fork; the work begins after `go` is called."""
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_child, args=(theirs, open_backend, work), daemon=True)
        with warnings.catch_warnings():
            # Python warns of forks with other threads, which pytest plugins start; the child needs none of their locks.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()

    def go(self) -> None:
        """Let the child open its handle; at the second call, let it begin the work."""
        self._pipe.send("go")

    def receive(self) -> Any:
        """Return the child's next message, None at its end: ``("awake", None)``, ``("said", value)`` and so on."""
        if not self._pipe.poll(PATIENCE):
            pytest.fail(f"a process sent nothing for {PATIENCE} seconds")
        try:
            return self._pipe.recv()
        except (EOFError, OSError):  # the second one, if it was killed while it sent a message
            return None

    def said(self) -> Any:
        """Return the next value from the child."""
        return self._expect("said")

    def opens_within(self, seconds: float) -> bool:
        """Return whether the child opened its handle within `seconds`."""
        return self._pipe.poll(seconds)

    def listen(self, seconds: float) -> list[Any]:
        """Return the values that the child sent within `seconds`."""
        heard, end = [], time.monotonic() + seconds
        while self._pipe.poll(max(0, end - time.monotonic())):
            heard.append(self.said())
        return heard

    def last_words(self) -> list[Any]:
        """Kill the child, and return the values that were not received yet."""
        self.kill()
        return list(iter(self._said_before, None))

    def awake(self) -> None:
        """Wait until the child is about to open its handle."""
        self._expect("awake")

    def ready(self) -> None:
        """Wait until the child has opened its handle."""
        self._expect("ready")

    def result(self) -> Any:
        """Return the result of the work."""
        return self._expect("done")

    def kill(self) -> None:
        """Kill the child, and wait until it has ended."""
        self._process.kill()
        self._process.join(PATIENCE)

    def end(self) -> None:
        """End the child if it still runs, and release it."""
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
    """Fork a process for each work; all open their handles concurrently, and then begin concurrently."""
    need_fork()
    forked: list[Child] = []
    try:
        for work in works:
            forked.append(Child(open_backend, work))  # noqa: PERF401  if one fails, the previous ones must end
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
    """Do each work concurrently in its own process, and return the results in order."""
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
    # In any case, nothing of the parent's pytest may run in the child.
    try:
        pipe.send(("awake", None))
        pipe.recv()
        with open_backend() as backend:
            pipe.send(("ready", None))
            pipe.recv()
            result = work(backend, lambda value: pipe.send(("said", value)))
        pipe.send(("done", result))
    except BaseException:  # noqa: BLE001  sent to the parent
        pipe.send(("failed", traceback.format_exc()))
    finally:
        pipe.close()
        os._exit(0)
