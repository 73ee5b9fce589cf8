"""Many processes that write to the same sessions concurrently."""

from __future__ import annotations

from functools import partial
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract, OpenBackend
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, numbers, soft_deleted, some_events
from asm_contract_tests.rules.backend.readers import Log, Logs, marks, read_until
from asm_contract_tests.together import in_processes, need_fork
from asm_core import (
    AlreadyExistsError,
    Backend,
    Event,
    ExecutionResult,
    RetentionPolicy,
    SessionDeletedError,
    SessionNotFoundError,
)
from asm_core.querying.pages import all_items

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESSES = 8
TURNS = 24
"""The number of writes of each process to one session, or to several together."""


def stored_sessions(open_backend: OpenBackend, count: int) -> list[str]:
    """Store sessions, close the store again, and return their ids."""
    need_fork()
    with open_backend() as backend:
        return [backend.session_store.save_session(a_session()).id for _ in range(count)]


def append_in_turn(backend: Backend, *, names: list[str]) -> list[tuple[str, Log]]:
    """Append to each session in turn, one by one and now and then to all together; return what was stored where."""
    store = backend.session_store
    told: list[tuple[str, Log]] = []
    for turn in range(TURNS // len(names)):
        events = [an_event(name) for name in names]
        stored = store.append_events(events) if turn % 3 else [store.append_event(event) for event in events]
        told += [(event.session_id, marks([event])) for event in stored]
    return told


def append_given(backend: Backend, *, events: list[Event]) -> list[Event]:
    """Append these events one by one."""
    return [backend.session_store.append_event(event) for event in events]


def append_claims(backend: Backend, *, batches: list[list[Event]]) -> list[bool]:
    """Append batches with ids that other processes use with other data; return the stored ones."""

    def won(batch: list[Event]) -> bool:
        try:
            return bool(backend.session_store.append_events(batch))
        except AlreadyExistsError:
            return False

    return [won(batch) for batch in batches]


def append_shuffled(backend: Backend, *, shared: list[Event], seed: int) -> dict[str, int | None]:
    """Append shared events in a random order, in batches with one additional event each; return all numbers."""
    mine = Random(seed).sample(shared, len(shared))  # noqa: S311  no secrets
    found: dict[str, int | None] = {}
    for start in range(0, len(mine), 5):
        batch = [*mine[start : start + 5], an_event(mine[start].session_id)]
        stored = backend.session_store.append_events(batch)
        assert [event.id for event in stored] == [event.id for event in batch]
        found |= {event.id: event.sequence_number for event in stored}
    return found


def append_anywhere(backend: Backend, *, names: list[str], seed: int) -> list[str]:
    """Append batches that span some of the sessions, in any order; return these sessions."""
    random = Random(seed)  # noqa: S311  no secrets
    batches = [random.sample(names, 4) for _ in range(TURNS)]
    for batch in batches:
        backend.session_store.append_events(an_event(name) for name in batch)
    return list(chain(*batches))


def do_anything(backend: Backend, *, names: list[str], seed: int) -> None:
    """Write to some sessions in every way; a missing or deleted session is not a failure."""
    random = Random(seed)  # noqa: S311  no secrets
    store = backend.session_store
    ways: list[Callable[[str, str], Any]] = [
        lambda one, other: store.append_events([an_event(one), an_event(other), an_event(one)]),
        lambda one, _: store.flush(ExecutionResult(a_session(id=one), a_run(one), some_events(one, 3))),
        lambda one, _: store.save_session(a_session(id=one)),
        lambda one, _: soft_deleted(store, a_session(id=one), days=99),
        lambda one, _: backend.maintenance.soft_delete_session(one),
        lambda one, _: backend.maintenance.undelete_session(one),
        lambda one, _: store.save_run(a_run(one)),
        lambda one, _: store.delete_session(one),
        lambda one, other: backend.artifact_registry.register(an_artifact(key=f"{seed}/{one}", session_id=other)),
        lambda one, _: backend.maintenance.prune_session_events(one, RetentionPolicy(max_events_per_session=3)),
        lambda *_: backend.maintenance.hard_delete_expired_sessions(RetentionPolicy()),
        lambda *_: backend.maintenance.clean_orphaned_artifacts(),
    ]
    for _ in range(TURNS):
        try:
            random.choice(ways)(*random.sample(names, 2))
        except (SessionNotFoundError, SessionDeletedError, AlreadyExistsError):
            continue


class ContentionContract(Contract):
    """The guarantees hold for any number of processes that write to the same sessions.

    Each process opens its own handle after the fork; the parent has no open handle.
    """

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G1")
    @pytest.mark.guarantee("G2")
    @pytest.mark.parametrize("count", [1, 8], ids=["one session", "eight sessions"])
    def test_what_was_read_never_changes_while_processes_append(
        self, open_backend: OpenBackend, soak: int, count: int
    ) -> None:
        """Look for a lock that does not exclude other processes, and for numbers that become visible out of order."""
        for _ in range(soak):
            names = stored_sessions(open_backend, count)
            orders = [names[place % count :] + names[: place % count] for place in range(PROCESSES)]
            reader = partial(read_until, names=names, count=PROCESSES * (TURNS // count))
            read, *told = in_processes(
                open_backend, reader, *(partial(append_in_turn, names=order) for order in orders)
            )
            acknowledged: Logs = {name: [] for name in names}
            for name, log in chain(*told):
                acknowledged[name] += log
            assert {name: sorted(log) for name, log in acknowledged.items()} == read

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G3")
    def test_one_event_from_many_processes_is_stored_once(self, open_backend: OpenBackend, soak: int) -> None:
        """Check two appends of one id that both find it missing: the loser returns the winner's event."""
        for _ in range(soak):
            [name] = stored_sessions(open_backend, 1)
            events = some_events(name, TURNS)
            answers = in_processes(open_backend, *[partial(append_given, events=events)] * PROCESSES)
            with open_backend() as backend:
                stored = backend.session_store.get_events(name)
            assert numbers(stored) == list(range(1, TURNS + 1))
            assert answers == [stored] * PROCESSES

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G3")
    def test_batches_of_processes_that_share_events_store_each_once(self, open_backend: OpenBackend, soak: int) -> None:
        """Check a batch of which another process stores a part first: the rest is stored once."""
        for _ in range(soak):
            names = stored_sessions(open_backend, 3)
            shared = [an_event(name) for name in names * 10]
            works = [partial(append_shuffled, shared=shared, seed=seed) for seed in range(PROCESSES)]
            answers = in_processes(open_backend, *works)
            with open_backend() as backend:
                logs = [backend.session_store.get_events(name) for name in names]
            assert [numbers(log) for log in logs] == [list(range(1, len(log) + 1)) for log in logs]
            stored = {event.id: event.sequence_number for event in chain(*logs)}
            assert len(stored) == sum(map(len, logs)) == len(shared) + PROCESSES * len(shared) // 5
            assert [{**stored, **answer} for answer in answers] == [stored] * PROCESSES

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("global_event_ids")
    @pytest.mark.guarantee("G3")
    @pytest.mark.guarantee("G4")
    def test_of_batches_of_processes_that_contradict_each_other_one_wins(
        self, open_backend: OpenBackend, soak: int
    ) -> None:
        """Check processes that use the same ids in opposite orders: losers are rejected, without deadlock."""
        for _ in range(soak):
            names = stored_sessions(open_backend, 2)
            claims = [[f"{names[0]} {turn} {place}" for place in range(400)] for turn in range(TURNS // 4)]
            works = []
            for place in range(PROCESSES):
                told = partial(an_event, names[place % 2], data={"by": place})
                batches = [[told(id=one) for one in claim[:: 1 - place % 2 * 2]] for claim in claims]
                works.append(partial(append_claims, batches=batches))
            answers = in_processes(open_backend, *works)
            winners = [[place for place in range(PROCESSES) if answers[place][turn]] for turn in range(len(claims))]
            assert [len(found) for found in winners] == [1] * len(claims)
            with open_backend() as backend:
                events = [event for name in names for event in backend.session_store.get_events(name)]
            by = {event.id: event.data["by"] for event in events}
            assert by == {one: place for claim, [place] in zip(claims, winners, strict=True) for one in claim}

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G4")
    def test_batches_of_processes_do_not_lock_each_other_out(self, open_backend: OpenBackend, soak: int) -> None:
        """Check the order in which `_append` locks counters: by session id, whatever the order of the batch."""
        for turn in range(soak):
            names = stored_sessions(open_backend, 6)
            seeds = range(turn * PROCESSES, (turn + 1) * PROCESSES)
            told = in_processes(open_backend, *(partial(append_anywhere, names=names, seed=seed) for seed in seeds))
            written = list(chain(*told))
            with open_backend() as backend:
                logs = {name: numbers(backend.session_store.get_events(name)) for name in names}
            assert logs == {name: list(range(1, written.count(name) + 1)) for name in names}

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G4")
    @pytest.mark.guarantee("G5")
    def test_processes_that_write_and_delete_do_not_lock_each_other_out(
        self, open_backend: OpenBackend, soak: int
    ) -> None:
        """Check the lock order of sessions, runs, counters and events: it is the same for all writers."""
        for turn in range(soak):
            names = stored_sessions(open_backend, 4)
            seeds = range(turn * PROCESSES, (turn + 1) * PROCESSES)
            in_processes(open_backend, *(partial(do_anything, names=names, seed=seed) for seed in seeds))
            with open_backend() as backend:
                assert backend.maintenance.health_check() == []
                logs = {
                    session.id: numbers(backend.session_store.get_events(session.id))
                    for session in all_items(backend.query_api.search_sessions, include_deleted=True)
                }
                assert backend.query_api.count_events() == sum(map(len, logs.values()))
                for name, log in logs.items():
                    last = backend.session_store.get_latest_sequence(name)
                    assert log == list(range(last - len(log) + 1, last + 1))
