"""How often who waits for events looks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from asm_core import waiting
from asm_core.heads import Head
from asm_core.waiting import Watcher

if TYPE_CHECKING:
    from collections.abc import Collection

    import pytest

SECONDS = 1.0
HEAD = Head(0, "log")


def test_an_idle_watcher_looks_less_often_where_a_look_is_dear(monkeypatch: pytest.MonkeyPatch) -> None:
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
