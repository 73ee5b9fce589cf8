"""The pool of connections, and what it stands on: places, and context managers that end."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.interrupting import interrupt_at_calls, interrupt_everywhere

from asm_core import StorageConnectionError
from asm_core.concurrency.contexts import contextmanager
from asm_core.concurrency.places import Place, Places
from asm_core.sql.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = 0.01


class Connection:
    """Counts what is open."""

    def __init__(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


def use(pool: Pool[Connection]) -> Connection:
    with pool.lend() as connection:
        return connection


def test_pool_lends_the_connection_that_came_back_last() -> None:
    pool = Pool(Connection, size=2, timeout=AT_ONCE)
    with pool.lend() as first, pool.lend() as second:
        assert first is not second
    assert use(pool) is first


def test_pool_lends_no_more_than_its_size() -> None:
    pool = Pool(Connection, size=1, timeout=AT_ONCE)
    with pool.lend(), pytest.raises(StorageConnectionError, match="in use"):
        use(pool)
    assert use(pool).is_open


def test_pool_closes_an_unusable_connection_and_the_idle_ones() -> None:
    broken: list[Connection] = []
    pool = Pool(Connection, size=3, timeout=AT_ONCE, is_usable=lambda connection: connection not in broken)
    with pool.lend() as first, pool.lend() as second:
        pass
    with pool.lend() as lent:
        assert lent is first
        broken.append(first)
    assert [first.is_open, second.is_open] == [False, False]
    assert use(pool).is_open


def test_pool_does_not_lend_an_idle_connection_that_became_unusable() -> None:
    broken: list[Connection] = []
    pool = Pool(Connection, size=1, timeout=AT_ONCE, is_usable=lambda connection: connection not in broken)
    broken.append(use(pool))
    assert use(pool) not in broken
    assert not broken[0].is_open


def test_closed_pool_closes_what_comes_back() -> None:
    pool = Pool(Connection, size=1, timeout=AT_ONCE)
    with pool.lend() as connection:
        pool.close()
        assert connection.is_open
    assert not connection.is_open


def test_failure_to_connect_leaves_the_place_free() -> None:
    def fail() -> Connection:
        raise OSError

    pool = Pool(fail, size=1, timeout=AT_ONCE)
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011  the very one
            use(pool)


def test_interruption_at_any_bytecode_leaves_no_place_taken() -> None:
    pool = Pool(Connection, size=1, timeout=AT_ONCE)
    instants = 0
    for _ in interrupt_everywhere(lambda: use(pool), module="asm_core"):
        assert use(pool).is_open
        instants += 1
    assert instants > 100


def test_interruption_leaves_no_place_taken_while_its_traceback_is_kept() -> None:
    pool = Pool(Connection, size=1, timeout=AT_ONCE)
    errors = []
    for error in interrupt_at_calls(lambda: use(pool), module="asm_core"):
        assert use(pool).is_open
        errors.append(error)
    assert len(errors) > 10


def test_place_is_free_again_once_nothing_refers_to_it() -> None:
    places, taken = Places(1), list[Place]()
    assert places.take(taken, AT_ONCE)
    assert not places.take([], 0)
    taken.clear()
    assert places.take([], 0)


def test_no_python_code_runs_while_a_place_is_lost() -> None:
    places, taken, ran = Places(1), list[Place](), []
    places.take(taken, AT_ONCE)
    sys.setprofile(lambda frame, event, _: ran.append(frame.f_code.co_name) if event == "call" else None)
    try:
        taken.clear()
    finally:
        sys.setprofile(None)
    assert ran == []  # where a signal handler could raise, and its exception would be ignored


def lose(places: Places) -> int:
    """Take all places and lose them; return their number."""
    taken: list[Place] = []
    try:
        while places.take(taken, 0):
            pass
        return len(taken)
    finally:
        taken.clear()


@pytest.mark.parametrize("interrupt", [interrupt_everywhere, interrupt_at_calls])
def test_interruption_while_lost_places_are_replaced_changes_no_number(interrupt: Callable[..., Iterator[Any]]) -> None:
    places, errors = Places(2), []
    for error in interrupt(lambda: lose(places), module="asm_core.concurrency.places"):
        errors.append(error)
        assert (lose(places), lose(places)) == (2, 2)
    assert len(errors) > 10


def test_threads_that_lose_places_find_no_more_than_there_are() -> None:
    places, inside, seen = Places(2), 0, set()
    lock = threading.Lock()

    def work() -> None:
        nonlocal inside
        for _ in range(200):
            taken: list[Place] = []
            assert places.take(taken, 60)
            with lock:
                inside += 1
                seen.add(inside)
            time.sleep(0)
            with lock:
                inside -= 1
            taken.clear()

    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(work) for _ in range(8)]:
            each.result()
    assert max(seen) <= 2
    assert lose(places) == 2


def test_place_that_was_waited_for_comes_as_soon_as_it_is_free() -> None:
    places, taken = Places(1), list[Place]()
    places.take(taken, AT_ONCE)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(places.take, [], 60)
        places.give_back(taken.pop())
        assert waiting.result()


def test_context_in_an_exit_stack_ends_with_it() -> None:
    pool = Pool(Connection, size=1, timeout=AT_ONCE)
    with ExitStack() as stack:
        connection = stack.enter_context(pool.lend())
    assert use(pool) is connection


def test_context_that_handles_an_exception_ends_it() -> None:
    @contextmanager
    def tolerant() -> Iterator[None]:
        with suppress(ValueError):
            yield

    with tolerant():
        raise ValueError
