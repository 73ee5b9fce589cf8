"""Writers take turns: none is passed over for long, and none keeps its turn after an interruption."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from processes import LIMIT
from tests.interrupting import interrupt_at_calls, interrupt_everywhere

from asm_core.concurrency.fair_lock import Turns

if TYPE_CHECKING:
    from asm_core.concurrency.places import Place

PASSED_OVER = 0.1
"""Longer than a thread lets others go first."""


def wait(turns: Turns, timeout: float) -> bool:
    turn: list[Place] = []
    try:
        return turns.take(turn, timeout)
    finally:
        if turn:
            turns.owner = None
            turns.end(turn.pop())


def take(turns: Turns) -> None:
    with turns.taken():
        pass


def test_a_thread_that_was_passed_over_comes_next() -> None:
    turns, order = Turns(), []

    def take(name: str) -> None:
        with turns.taken():
            order.append(name)

    with ThreadPoolExecutor() as pool:
        with turns.taken():
            waiting = pool.submit(take, "waiting")
            time.sleep(PASSED_OVER)
        take("coming by")
        waiting.result()
    assert order == ["waiting", "coming by"]


def test_a_turn_belongs_to_one_thread() -> None:
    turns = Turns()
    with ThreadPoolExecutor() as pool:
        with turns.taken():
            assert turns.is_mine()
            assert not pool.submit(turns.is_mine).result()
        assert not turns.is_mine()


def test_a_wait_ends_in_time() -> None:
    turns = Turns()
    with ThreadPoolExecutor() as pool, turns.taken():
        began = time.monotonic()
        waiting = [pool.submit(wait, turns, PASSED_OVER) for _ in range(3)]
        assert [each.result() for each in waiting] == [False, False, False]
        assert time.monotonic() - began < 10 * PASSED_OVER


def test_one_thread_at_a_time_has_the_turn() -> None:
    turns, inside, seen = Turns(), 0, set()
    barrier = threading.Barrier(8)

    def write() -> None:
        nonlocal inside
        barrier.wait(LIMIT)
        for _ in range(50):
            with turns.taken():
                inside += 1
                time.sleep(0)
                seen.add(inside)
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(write) for _ in range(8)]:
            each.result()
    assert seen == {1}


def test_a_turn_is_free_after_an_interruption_at_any_bytecode() -> None:
    turns = Turns()
    for _ in interrupt_everywhere(lambda: take(turns), module="asm_core"):
        assert not turns.is_mine()
        assert wait(turns, 0.0)


def test_a_turn_is_free_while_the_interruption_is_handled() -> None:
    turns, errors = Turns(), []
    for error in interrupt_at_calls(lambda: take(turns), module="asm_core"):
        errors.append(error)
        assert wait(turns, 0.0)
