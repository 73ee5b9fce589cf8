"""How often who waits for events looks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.together import PATIENCE, begun
from asm_core.event_log import waiting
from asm_core.event_log.waiting import Watcher
from asm_core.querying.heads import GONE, Head

if TYPE_CHECKING:
    from collections.abc import Collection


SECONDS = 1.0
HEAD = Head(0, "log")


def test_an_idle_watcher_polls_less_often_if_polls_are_expensive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BUSY_SECONDS", 0.001)
    looks = 0

    def look(session_ids: Collection[str]) -> dict[str, Head]:
        nonlocal looks
        looks += 1
        until = time.thread_time() + 0.002
        while time.thread_time() < until:
            pass
        return dict.fromkeys(session_ids, HEAD)

    Watcher(look).wait("ses_1", (HEAD,), SECONDS)

    assert looks < 0.7 * SECONDS / waiting.LONGEST_PAUSE


def test_a_head_that_was_read_before_the_wait_does_not_end_it() -> None:
    older, known, newer = Head(3, "log"), Head(5, "log"), Head(6, "log")
    looking, joined = threading.Event(), threading.Event()
    heads = iter([older, known, newer])

    def look(session_ids: Collection[str]) -> dict[str, Head]:
        looking.set()
        assert joined.wait(PATIENCE)
        return dict.fromkeys(session_ids, next(heads, newer))

    class Joining(list[Head]):
        """What is known to a waiter, which has joined when the watcher asks it."""

        def __contains__(self, head: object) -> bool:
            joined.set()
            return super().__contains__(head)

    watcher = Watcher(look)
    with begun(lambda: watcher.wait("ses_1", (older,), PATIENCE)):
        assert looking.wait(PATIENCE)
        assert watcher.wait("ses_1", Joining([known]), PATIENCE) == newer
        watcher.notify()


@pytest.mark.parametrize("found", [Head(1, "log"), Head(3, "log"), Head(2, "other"), None])
def test_any_other_head_ends_a_wait(found: Head | None) -> None:
    def look(session_ids: Collection[str]) -> dict[str, Head]:
        return dict.fromkeys(session_ids, found) if found else {}

    assert Watcher(look).wait("ses_1", (Head(2, "log"),), PATIENCE) == (found or GONE)
