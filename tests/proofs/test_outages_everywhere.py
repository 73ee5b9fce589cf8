"""Every public method of every port, while connections are lost: at each of its round trips, and at random."""

from __future__ import annotations

import inspect
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from calls import ARTIFACT, BATCH, EVENT, GONE, POLICY, RECORD, RESULT, RUN, fill

import asm_core as asm
from asm_contract_tests.making import an_event, changed, ids, numbers
from asm_contract_tests.rules.inputs.fuzz import PORTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from administrator import Administrator
    from cutting_proxy import CuttingProxy

LOGGED = an_event("s")
ARGUMENTS: dict[str, Any] = {
    "session": GONE,
    "run": RUN,
    "event": EVENT,
    "events": BATCH,
    "result": RESULT,
    "event_id": LOGGED.id,
    "ids": [LOGGED.id],
    "session_id": "s",
    "session_ids": ["old", "s"],
    "user_id": "u",
    "text": "word",
    "storage_backend": "disk",
    "refs": ["a"],
    "run_id": RUN.id,
    "artifact": ARTIFACT,
    "key": "kept",
    "namespace": "n",
    "value": 2,
    "record": RECORD,
    "policy": POLICY,
    "idle_timeout": 0,
    "change": lambda stored: changed(stored, metadata={"changed": True}),
}
"""What the methods are given: all that they cannot do without, and no patience."""
FILTERS = {"delete_events": {"after": 3}}
"""Optional arguments of which a method needs one."""
WITH_NEW_IDS = {"fork_session"}
"""Methods of which each call stores something else."""
WITHOUT_THE_SERVER = {"finish_erasure"}
"""Methods that have nothing to do on PostgreSQL."""
METHODS = {
    port: [name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]
    for port, kind in PORTS.items()
}
ATOMIC = ("session_store", "artifact_registry", "state_store")
"""The ports of which each call is one transaction; maintenance works in batches."""


@pytest.fixture
def database() -> str:
    """Leave SQLite out: a file has no connections that could be lost."""
    return "postgresql"


def call_of(backend: asm.Backend, port: str, method: str) -> Callable[[], Any]:
    """Return what calls a method, uses its answer up, and returns that, or the error if it is one of this project's."""
    bound = getattr(getattr(backend, port), method)
    parameters = inspect.signature(bound).parameters.values()
    needed = [one.name for one in parameters if one.default is one.empty or one.name == "idle_timeout"]
    given = {name: ARGUMENTS[name] for name in needed} | FILTERS.get(method, {})

    def call() -> Any:
        try:
            answer = bound(**given)
            return list(answer) if isinstance(answer, Iterator) else answer
        except asm.AsmError as error:
            return error

    return call


@pytest.fixture
def through_proxy(backend_name: str, proxy: CuttingProxy) -> Iterator[asm.Backend]:
    """Return the store as opened through the wire that can be cut."""
    with asm.open_backend(backend_name, url=proxy.url, migrate=True) as opened:
        fill(opened)
        opened.session_store.save_run(RUN)
        opened.session_store.append_event(LOGGED)
        yield opened


@pytest.fixture
def step(port: str, soak: int) -> int:
    """Return how far apart the round trips are that are cut: maintenance makes a hundred of them, without a soak."""
    return 1 if port in ATOMIC or soak > 1 else 7


@pytest.mark.parametrize("port", PORTS)
def test_a_connection_lost_at_any_round_trip_is_a_retryable_error_and_leaves_nothing_half_done(
    through_proxy: asm.Backend,
    administrator: Administrator,
    proxy: CuttingProxy,
    port: str,
    step: int,
) -> None:
    administrator.keep()
    before = administrator.contents()
    for method in METHODS[port]:
        call = call_of(through_proxy, port, method)
        for place in count(step=step):
            administrator.bring_back()
            proxy.cut(place)
            answer = call()
            if not proxy.mend():
                break
            between = administrator.contents()
            assert isinstance(answer, asm.StorageConnectionError), (method, place)
            assert not isinstance(call(), asm.StorageError), (method, place)
            if port in ATOMIC and method not in WITH_NEW_IDS:
                assert between in {before, administrator.contents()}, (method, place)
        assert place > 0 or method in WITHOUT_THE_SERVER, method
        assert through_proxy.maintenance.health_check() == []


def test_a_fork_whose_connection_is_lost_at_any_round_trip_is_stored_whole_or_not_at_all(
    through_proxy: asm.Backend,
    backend: asm.Backend,
    proxy: CuttingProxy,
) -> None:
    forks: list[str] = []
    expected = numbers(backend.session_store.get_events("s"))
    for place in count():
        proxy.cut(place)
        call_of(through_proxy, "session_store", "fork_session")()
        if not proxy.mend():
            break
        stored = ids(backend.query_api.search_sessions(parent_session_id="s").items)
        assert len(stored) <= len(forks) + 1
        forks = stored
    assert len(backend.query_api.search_sessions(parent_session_id="s").items) == len(forks) + 1
    for name in forks:
        assert numbers(backend.session_store.get_events(name)) == expected
        assert backend.session_store.get_latest_sequence(name) == len(expected)


def test_no_foreign_error_leaves_a_port_while_connections_are_ended_at_random(
    backend: asm.Backend,
    administrator: Administrator,
    soak: int,
) -> None:
    fill(backend)
    ended = threading.Event()
    every = [call_of(backend, port, method) for port, methods in METHODS.items() for method in methods]

    def work(seed: int) -> None:
        order = random.Random(seed)  # noqa: S311
        while not ended.is_set():
            order.choice(every)()

    with ThreadPoolExecutor(4) as pool:
        works = [pool.submit(work, seed) for seed in range(4)]
        lost = 0
        while lost < 100 * soak and not any(work.done() for work in works):
            lost += administrator.terminate()
        ended.set()
    for each in works:
        each.result()
    call_of(backend, "session_store", "list_sessions")()  # it may find out only now that it was ended
    fill(backend)
    assert backend.maintenance.health_check() == []
