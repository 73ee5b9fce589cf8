"""A store on a SQLite file, and event loops in debug mode that may log nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

T = TypeVar("T")

SLOW = 10.0
"""Seconds that a step of the loop may take before debug mode logs a warning; other tests run on the same cores."""


@pytest.fixture(params=["memory", "sqlmodel"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[asm.Backend]:
    """Return a synchronous backend."""
    url = None if request.param == "memory" else f"sqlite:///{tmp_path}/asm.db"
    with asm.open_backend(request.param, url=url, migrate=url is not None) as backend:
        yield backend


@pytest.fixture
def session(store: asm.Backend) -> asm.Session:
    return store.session_store.save_session(asm.Session.new(agent_id="assistant"))


@pytest.fixture
def run(caplog: pytest.LogCaptureFixture) -> Callable[[Coroutine[Any, Any, T]], T]:
    """Return a function that runs a coroutine in a loop of its own, in debug mode, in which asyncio may log nothing."""

    async def slowly(coroutine: Coroutine[Any, Any, T]) -> T:
        asyncio.get_running_loop().slow_callback_duration = SLOW
        return await coroutine

    def in_debug_mode(coroutine: Coroutine[Any, Any, T]) -> T:
        caplog.clear()
        result = asyncio.run(slowly(coroutine), debug=True)
        found = [record for record in caplog.records if record.name == "asyncio" and record.levelno >= logging.WARNING]
        warnings = [record.getMessage() for record in found]
        assert not warnings
        return result

    return in_debug_mode
