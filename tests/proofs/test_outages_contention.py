"""All connections are in use, or another writer is active: a call waits, up to a timeout, and raises with advice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import asm_core as asm
from asm_contract_tests.making import a_session, an_event, numbers
from asm_contract_tests.together import PATIENCE, begun, in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL = {"sqlite": {"readers": 1}, "postgresql": {"pool_size": 1}}
HASTY = {"sqlite": {"busy_timeout": 0.05}, "postgresql": {"pool_size": 1, "pool_timeout": 0.05}}
REMEDY = {
    "sqlite": "has been writing for 0.05 seconds; retry",
    "postgresql": "Retry, or raise the limit .*pool_size",
}


@pytest.fixture
def hasty(open_backend: Callable[..., asm.Backend], database: str) -> Iterator[asm.Backend]:
    """Open the store with no patience."""
    with open_backend(**HASTY[database]) as opened:
        yield opened


def test_an_exhausted_pool_raises_with_advice_and_can_be_retried(hasty: asm.Backend, database: str) -> None:
    store = hasty.session_store
    event = an_event(store.save_session(a_session()))
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with hasty.transaction():
            inside.set()
            done.wait(PATIENCE)

    with begun(hold) as holding:
        inside.wait(PATIENCE)
        with pytest.raises(asm.StorageConnectionError, match=REMEDY[database]) as raised:
            store.append_event(event)
        assert raised.value.retryable
        done.set()
        holding.result(PATIENCE)
    assert store.append_event(event).sequence_number == 1
    assert hasty.maintenance.health_check() == []


def test_more_threads_than_connections_take_turns(open_backend: Callable[..., asm.Backend], database: str) -> None:
    with open_backend(**SMALL[database]) as backend:
        store = backend.session_store
        session = store.save_session(a_session())

        def work() -> None:
            for _ in range(20):
                with backend.transaction():
                    event = store.append_event(an_event(session))
                    assert store.get_events(session.id)[-1] == event
                assert store.get_events(session.id)
                assert backend.query_api.search_sessions(count=True).total_count == 1

        in_threads(*[work] * 8)
        assert numbers(store.get_events(session.id)) == list(range(1, 161))
