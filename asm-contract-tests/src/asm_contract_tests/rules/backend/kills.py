"""Processes that are killed at any instant."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from asm_contract_tests.contract import Contract, OpenBackend
from asm_contract_tests.making import a_run, a_session, an_event, deleted, ids, numbers, some_events
from asm_contract_tests.rules.backend.workload import STEPS, arrange, call, call_forever, everything
from asm_contract_tests.together import children, need_fork
from asm_core import ExecutionResult, RetentionPolicy, SessionNotFoundError
from asm_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core import Backend, Session

KILLS: Final = 8
A_CALL: Final = 0.004
"""Seconds for a few calls; the kill comes at a random instant in them."""


def instants(count: int) -> Iterator[tuple[int, float]]:
    """Yield the number of acknowledged calls before a kill, and the seconds from the last of them to it."""
    random = Random(20261121)  # noqa: S311  no secrets
    for _ in range(count):
        yield random.randrange(2 * len(STEPS)), random.uniform(0, A_CALL)


def flush_forever(backend: Backend, say: Callable[[Any], None], *, session: Session) -> None:
    """Repeat: flush a run and three events, and report the acknowledged call."""
    while True:
        run = a_run(session)
        stored = backend.session_store.flush(ExecutionResult(session, run, some_events(session, 3, run_id=run.id)))
        say((run.id, ids(stored)))


def maintain_forever(backend: Backend, say: Callable[[Any], None]) -> None:
    """Repeat: store an expired session, remove it, and report that."""
    while True:
        session = deleted(a_session(), days=99)
        events = [event.numbered(place) for place, event in enumerate(some_events(session, 3), 1)]
        backend.session_store.restore_session(session, [a_run(session)], events)
        backend.maintenance.execute(RetentionPolicy(max_events_per_session=1, batch_size=1))
        say(session.id)


class KillsContract(Contract):
    """A killed process leaves no partial write, loses no acknowledged call, and blocks no other process."""

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("durable")
    @pytest.mark.guarantee("G5")
    @pytest.mark.guarantee("G12")
    def test_a_killed_process_has_done_what_it_acknowledged_and_nothing_by_halves(
        self, open_backend: OpenBackend, soak: int
    ) -> None:
        """Check the interrupted call: the store must be exactly as before it or as after it.

        The in-memory backend makes the same calls. The next process begins with the interrupted call.
        """
        need_fork()
        twin, done = MemoryBackend(), 0
        with open_backend() as backend:
            arrange(backend)
            arrange(twin)
        for acknowledged, seconds in instants(KILLS * soak):
            with children(open_backend, [partial(call_forever, start=done)]) as [child]:
                told = [child.said() for _ in range(acknowledged)]
                told += [*child.listen(seconds), *child.last_words()]
            for place in told:
                call(twin, place)
            done += len(told)
            with open_backend() as backend:
                assert backend.maintenance.health_check() == []
                found = everything(backend)
            if found != everything(twin):
                call(twin, done)
                assert found == everything(twin)

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("durable")
    @pytest.mark.guarantee("G5")
    @pytest.mark.guarantee("G12")
    def test_the_others_go_on_when_a_process_is_killed(self, open_backend: OpenBackend, soak: int) -> None:
        """Look for a lock or an open transaction that outlives its process."""
        need_fork()
        with open_backend() as backend:
            session = backend.session_store.save_session(a_session())
        told = []
        for acknowledged, seconds in instants(2 * soak):
            with children(open_backend, [partial(flush_forever, session=session)] * 3) as [first, *others]:
                told += [first.said() for _ in range(acknowledged)]
                told += [*first.listen(seconds), *first.last_words()]
                told += [child.said() for child in others for _ in range(3)]
                told += [words for child in others for words in child.last_words()]
            with open_backend() as backend:
                events = backend.session_store.get_events(session.id)
                runs = backend.session_store.list_runs(session.id)
                assert backend.maintenance.health_check() == []
            assert numbers(events) == list(range(1, 3 * len(runs) + 1))
            assert [event.run_id for event in events][::3] == [event.run_id for event in events][2::3]
            assert {event.run_id for event in events} == set(ids(runs))
            assert {run_id for run_id, _ in told} <= set(ids(runs))
            assert {name for _, names in told for name in names} <= set(ids(events))

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("durable")
    @pytest.mark.guarantee("G12")
    def test_a_store_is_healthy_after_maintenance_was_killed(self, open_backend: OpenBackend, soak: int) -> None:
        """Check the batches of maintenance: each is a transaction."""
        need_fork()
        for acknowledged, seconds in instants(4 * soak):
            with children(open_backend, [maintain_forever] * 2) as [first, other]:
                gone = [first.said() for _ in range(acknowledged // 3)]
                gone += [*first.listen(5 * seconds), *first.last_words()]
                gone += [other.said(), *other.last_words()]
            with open_backend() as backend:
                assert backend.maintenance.health_check() == []
                for name in gone:
                    with pytest.raises(SessionNotFoundError):
                        backend.session_store.get_session(name)
                session = backend.session_store.save_session(a_session())
                assert backend.session_store.append_event(an_event(session)).sequence_number == 1
