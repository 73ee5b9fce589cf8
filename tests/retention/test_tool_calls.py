"""Which events pruning takes together."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.making import a_run, a_session, an_event, at, numbers
from asm_core.memory import MemoryBackend
from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.ports import Maintenance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.retention import Stretch

KINDS = {"s": "tool_call_started", "r": "tool_call_completed", "f": "tool_call_failed", "m": "message_sent"}


@pytest.fixture
def backend() -> Iterator[asm.Backend]:
    with asm.open_backend("memory") as backend:
        yield backend


def log(backend: asm.Backend, events: str, *, status: str = "completed", run_id: str | None = None) -> str:
    """Store a session with a log such as ``s:a m r:a``: a start and a result of the call `a`, a message between."""
    session = backend.session_store.save_session(a_session(status=status))
    for place, one in enumerate(events.split()):
        kind, _, call = one.partition(":")
        call, _, run = call.partition("@")
        backend.session_store.append_event(
            an_event(
                session,
                type=KINDS[kind],
                timestamp=at(place),
                run_id=run or run_id,
                data={"tool_call_id": call} if call else {},
            )
        )
    return session.id


def left(backend: asm.Backend, session_id: str, most: int, **fields: Any) -> list[int | None]:
    """Prune a session, and return the numbers of what is left; a dry run tells how many go."""
    store = backend.session_store
    policy = asm.RetentionPolicy(max_events_per_session=most, exempt_statuses=(), **fields)
    dry, before = backend.maintenance.execute(policy, dry_run=True).events_pruned, len(store.get_events(session_id))
    assert backend.maintenance.prune_session_events(session_id, policy) == dry
    assert len(store.get_events(session_id)) == before - dry
    return numbers(store.get_events(session_id))


@pytest.mark.parametrize(
    ("events", "most", "expected"),
    [
        ("s:a m r:a m", 3, [2, 4]),
        ("s:a m f:a m", 3, [2, 4]),
        ("m s:a r:a m", 3, [2, 3, 4]),
        ("m s:a r:a m", 2, [4]),
        ("s:a s:b r:b r:a", 2, [2, 3]),
        ("s:a s:a r:a r:a", 2, [2, 4]),
        ("s s r r", 2, [2, 4]),
        ("s s:a r:a r", 2, [2, 3]),
        ("s s:a r r:a", 2, [2, 4]),
        ("s:a@1 s:a@2 r:a@2 r:a@1", 2, [2, 3]),
        ("r:a m m", 2, [2, 3]),
        ("r:a s:a m", 2, [2, 3]),
        ("s:a m m", 2, [2, 3]),
        ("s m m m r", 4, [2, 3, 4]),
    ],
)
def test_a_result_goes_with_the_oldest_open_start_of_its_id(
    backend: asm.Backend, events: str, most: int, expected: list[int]
) -> None:
    assert left(backend, log(backend, events), most) == expected


@pytest.mark.parametrize("first", [["tool_call_started"], ["tool_call_completed"], ["tool_call_failed"]])
def test_one_type_of_a_tool_call_that_goes_first_stands_for_all(backend: asm.Backend, first: list[str]) -> None:
    session_id = log(backend, "m s:a r:a m s:b f:b m")
    assert left(backend, session_id, 5, prune_event_types_first=first) == [1, 4, 5, 6, 7]
    assert left(backend, session_id, 4, prune_event_types_first=first) == [1, 4, 7]


@pytest.mark.parametrize(
    ("run_status", "session_status", "expected"),
    [
        ("running", "completed", [1]),
        ("pending", "completed", [1]),
        ("completed", "active", []),
        ("timeout", "active", []),
        (None, "active", [1]),
        (None, "pending", [1]),
        (None, "failed", []),
    ],
)
def test_a_start_stays_until_no_result_can_come(
    backend: asm.Backend, run_status: str | None, session_status: str, expected: list[int]
) -> None:
    session_id = log(backend, "s:a m", status=session_status, run_id="run")
    if run_status is not None:
        backend.session_store.save_run(a_run(session_id, id="run", status=run_status))
    assert left(backend, session_id, 0) == expected


def test_a_start_that_names_no_run_may_go(backend: asm.Backend) -> None:
    assert left(backend, log(backend, "s:a m", status="active"), 0) == []


def test_a_dry_run_of_both_limits_counts_no_pair_twice(backend: asm.Backend) -> None:
    for events in ("s:a m r:a m s:b m r:b", "m s:a s:b r:a m r:b", "r:x m s:c m r:c"):
        log(backend, events)
    policies = [
        asm.RetentionPolicy(max_events_per_session=each, max_total_events=total, batch_size=size, exempt_statuses=())
        for each in (5, 4, 3, 1)
        for total in (13, 10, 7, 4, 2)
        for size in (1, 2, 100)
    ]
    for policy in policies:
        dry = backend.maintenance.execute(policy, dry_run=True).events_pruned
        with suppress(ZeroDivisionError), backend.transaction():
            pruned = backend.maintenance.execute(policy).events_pruned
            stored = backend.query_api.count_events()
            raise ZeroDivisionError
        assert pruned == dry
        assert stored <= (policy.max_total_events or 0)


def test_pairs_of_a_long_log_are_matched_in_time_and_memory_that_grow_with_it(backend: asm.Backend, soak: int) -> None:
    count = 3_000 * soak
    calls = " ".join(f"s:{place} m m m{'' if place % 7 == 0 else f' r:{place}'}" for place in range(count // 5))
    session_id = log(backend, calls)
    stored = backend.session_store.get_latest_sequence(session_id)
    policy = asm.RetentionPolicy(max_events_per_session=stored // 10)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        pruned = backend.maintenance.execute(policy, dry_run=True).events_pruned
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert 0 <= pruned - (stored - stored // 10) <= 1
    assert peak < 2_000 * stored


class CountingStore(MemoryRetentionStore):
    """Counts the reads of the log."""

    reads = 0

    def next_stretch(self, session_id: str | None, after: tuple[Any, ...] | None) -> Stretch | None:
        self.reads += 1
        return super().next_stretch(session_id, after)


def test_the_rest_of_a_log_is_read_once_for_all_open_calls_of_a_run(backend: asm.Backend) -> None:
    def reads(calls: int) -> int:
        session = backend.session_store.save_session(a_session(status="completed"))
        run = backend.session_store.save_run(a_run(session, status="completed"))
        starts = [
            an_event(session, type=KINDS["s"], run_id=run.id, data={"tool_call_id": str(call)}) for call in range(calls)
        ]
        backend.session_store.append_events(starts)
        assert isinstance(backend, MemoryBackend)
        store = CountingStore(backend._state)
        policy = asm.RetentionPolicy(max_events_per_session=1, exempt_statuses=())
        assert Maintenance(store).prune_session_events(session.id, policy) == calls - 1
        return store.reads

    assert reads(40) == reads(4)
