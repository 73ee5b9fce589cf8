"""Transactions and asyncio: a task joins by the ports that it was given, and never by accident."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.making import a_session, an_event
from asm_contract_tests.rules.backend.bound_ports import accidents
from asm_contract_tests.rules.backend.transactions import Abandoned, UnitOfWorkContract, undone
from asm_contract_tests.together import PATIENCE
from asm_core import Backend, Ports, Session, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def awaited(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in an event loop, which must end: a task that waits for its own thread never does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(Context().run, asyncio.run, main).result(PATIENCE)


async def until(event: asyncio.Event) -> None:
    """Let other tasks run until an event."""
    await asyncio.wait_for(event.wait(), PATIENCE)


class TasksContract(UnitOfWorkContract):
    """Where an event loop runs, only the yielded ports join a transaction."""

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_a_task_does_not_join_the_transaction_of_another(self, backend: Backend, stored: Session) -> None:
        """Check an append while another task has a transaction open, which is undone: the event is kept, or refused."""
        store = backend.session_store
        opened, called = asyncio.Event(), asyncio.Event()

        async def one() -> None:
            with suppress(Abandoned), backend.transaction() as ports:
                ports.session_store.append_event(an_event(stored, id="evt_undone"))
                opened.set()
                await until(called)
                raise Abandoned

        async def two() -> bool:
            await until(opened)
            try:
                store.append_event(an_event(stored, id="evt_other"))
            except StorageError:
                return False
            finally:
                called.set()
            return True

        async def main() -> bool:
            return (await asyncio.gather(one(), two()))[1]

        is_kept = awaited(main())
        assert [event.id for event in store.get_events(stored.id, after=1)] == (["evt_other"] if is_kept else [])

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_a_call_that_would_join_by_accident_raises(self, backend: Backend, stored: Session) -> None:
        """Check the backend's own ports in the task with the transaction, and in a child task, which inherits it."""
        store = backend.session_store
        calls: list[Callable[[], object]] = [
            lambda: store.append_event(an_event(stored)),
            lambda: store.get_session(stored.id),
            backend.query_api.search_sessions,
            lambda: backend.transaction().__enter__(),
        ]

        async def main() -> list[list[str]]:
            async def child() -> list[str]:
                return accidents(calls)

            with backend.transaction() as ports:
                found = [accidents(calls), *await asyncio.gather(child()), await asyncio.wait_for(child(), PATIENCE)]
                ports.session_store.append_event(an_event(stored))
            return found

        assert awaited(main()) == [[], [], []]
        assert store.get_latest_sequence(stored.id) == 2

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_overlapping_transactions_of_tasks_are_whole_or_not_at_all(self, backend: Backend) -> None:
        """Check transactions of several tasks at once, some of which fail: none has a part of another."""
        store = backend.session_store
        sessions = [store.save_session(a_session()) for _ in range(6)]

        async def work(place: int, session: Session) -> None:
            with backend.transaction() as ports:
                for _ in range(3):
                    ports.session_store.append_event(an_event(session))
                    await asyncio.sleep(0)
                if place % 3 == 1:
                    raise Abandoned

        async def main() -> list[Any]:
            works = [work(place, session) for place, session in enumerate(sessions)]
            return await asyncio.gather(*works, return_exceptions=True)

        ends = awaited(main())
        assert [end for end in ends if not isinstance(end, StorageError | Abandoned | None)] == []
        assert ends.count(None) >= 1
        kept = [store.get_latest_sequence(session.id) for session in sessions]
        assert kept == [3 if end is None else 0 for end in ends]

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_the_yielded_ports_may_move_to_another_task(self, backend: Backend, stored: Session) -> None:
        """Check the ports in a child task, and in one that inherited nothing: their calls are in the transaction."""

        async def write(ports: Ports) -> None:
            ports.session_store.append_event(an_event(stored))

        async def main() -> None:
            with undone(backend.transaction()) as ports:
                await asyncio.gather(write(ports), write(ports))
                await asyncio.create_task(write(ports), context=Context())
                assert ports.session_store.get_latest_sequence(stored.id) == 4

        awaited(main())
        assert backend.session_store.get_latest_sequence(stored.id) == 1

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_what_follows_a_transaction_in_a_task_is_sound(self, backend: Backend, stored: Session) -> None:
        """Look for a task that stays in a transaction after its end, and for its children."""
        store = backend.session_store

        async def main() -> None:
            ended = asyncio.Event()

            async def child() -> None:
                await until(ended)
                store.append_event(an_event(stored))

            with undone(backend.transaction()):
                task = asyncio.create_task(child())
                await asyncio.sleep(0)
            ended.set()
            await task
            store.append_event(an_event(stored))

        awaited(main())
        assert store.get_latest_sequence(stored.id) == 3
