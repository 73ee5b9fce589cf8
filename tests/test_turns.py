"""Writers take turns: nobody is passed over for long, and a thread that has the turn is not in its own way."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from asm_core.sql.turns import Turns

PASSED_OVER = 0.1
"""Longer than a thread lets others go first."""


def test_who_was_passed_over_comes_next() -> None:
    turns, order = Turns(), []

    def take(name: str) -> None:
        with turns:
            order.append(name)

    with ThreadPoolExecutor() as pool:
        with turns:
            waiting = pool.submit(take, "waiting")
            time.sleep(PASSED_OVER)
        take("coming by")
        waiting.result()
    assert order == ["waiting", "coming by"]


def test_a_thread_takes_its_own_turn_again_even_when_others_wait() -> None:
    turns = Turns()
    with ThreadPoolExecutor() as pool:
        with turns:
            waiting = pool.submit(turns.acquire)
            time.sleep(PASSED_OVER)
            with turns:
                assert not waiting.done()
            assert not waiting.done()
        assert waiting.result()


def test_who_waits_in_vain_is_told_in_time() -> None:
    turns = Turns()
    with ThreadPoolExecutor() as pool, turns:
        began = time.monotonic()
        waiting = [pool.submit(turns.acquire, PASSED_OVER) for _ in range(3)]
        assert [each.result() for each in waiting] == [False, False, False]
        assert time.monotonic() - began < 10 * PASSED_OVER


def test_one_thread_at_a_time_has_the_turn() -> None:
    turns, inside, seen = Turns(), 0, set()
    barrier = threading.Barrier(8)

    def write() -> None:
        nonlocal inside
        barrier.wait()
        for _ in range(50):
            with turns:
                inside += 1
                time.sleep(0)
                seen.add(inside)
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(write) for _ in range(8)]:
            each.result()
    assert seen == {1}
