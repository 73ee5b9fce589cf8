"""Transactions of tasks: each is whole or undone, and none takes the calls of another task."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session as OrmSession

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend
from asm_contract_tests.together import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., Any]


class UndoError(Exception):
    """Raised by a test to roll back."""


@pytest.fixture(params=["memory", "sqlmodel", "peewee", "pony", "on_postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[asm.Backend]:
    """Return a synchronous backend, of each kind."""
    name = "sqlmodel" if request.param == "on_postgresql" else request.param
    url = f"sqlite:///{tmp_path}/asm.db"
    if request.param == "on_postgresql":
        url = request.getfixturevalue("postgresql_url")
    given = {} if name == "memory" else {"url": url, "migrate": True}
    with asm.open_backend(name, **given) as backend:
        yield backend


def message(session: asm.Session, text: str = "hello") -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session.id, data={"role": "user", "content": text})


def contents(store: asm.Backend, session: asm.Session) -> list[str]:
    return [event.data["content"] for event in store.session_store.get_events(session.id)]


def test_a_transaction_commits_at_its_end(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            async with backend.transaction() as ports:
                await ports.session_store.append_event(message(session, "1"))
                await ports.session_store.append_event(message(session, "2"))
                assert len(await ports.session_store.get_events(session.id)) == 2
            with pytest.raises(asm.StorageError, match="has ended"):
                await ports.session_store.append_event(message(session, "3"))
            await backend.session_store.append_event(message(session, "4"))

    run(main())
    assert contents(store, session) == ["1", "2", "4"]


def test_a_transaction_rolls_back_on_an_exception(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:

            async def write() -> None:
                async with backend.transaction() as ports:
                    await ports.session_store.append_event(message(session))
                    raise UndoError

            with pytest.raises(UndoError):
                await write()

    run(main())
    assert contents(store, session) == []


def test_a_cancelled_transaction_rolls_back(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:

            async def write() -> None:
                async with backend.transaction() as ports:
                    await ports.session_store.append_event(message(session))
                    appended.set()
                    await asyncio.sleep(PATIENCE)

            appended = asyncio.Event()
            writing = asyncio.create_task(write())
            await asyncio.wait_for(appended.wait(), PATIENCE)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            await backend.session_store.append_event(message(session, "after"))

    run(main())
    assert contents(store, session) == ["after"]


def test_transactions_cancelled_at_any_moment_are_whole_or_undone(
    store: asm.Backend, session: asm.Session, run: Run
) -> None:
    async def main() -> list[bool]:
        async with asm.aio.wrap(store) as backend:

            async def write(text: str) -> None:
                async with backend.transaction() as ports:
                    for _ in range(3):
                        await ports.session_store.append_event(message(session, text))

            writing = [asyncio.create_task(write(f"{number}")) for number in range(40)]
            for number, task in enumerate(writing):
                if number % 4:
                    await asyncio.sleep(0.001)
                    task.cancel()
            ended = await asyncio.gather(*writing, return_exceptions=True)
            assert not [error for error in ended if isinstance(error, Exception)]
            return [error is None for error in ended]

    committed = run(main())
    stored = contents(store, session)
    counts = [stored.count(f"{number}") for number in range(40)]
    assert set(counts) <= {0, 3}
    assert all(count == 3 for count, is_committed in zip(counts, committed, strict=True) if is_committed)


def test_a_roll_back_takes_no_event_of_another_task(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            opened, appending = asyncio.Event(), asyncio.Event()

            async def undo() -> None:
                async with backend.transaction() as ports:
                    await ports.session_store.append_event(message(session, "undone"))
                    opened.set()
                    await asyncio.wait_for(appending.wait(), PATIENCE)
                    await asyncio.sleep(0.05)
                    raise UndoError

            async def append() -> None:
                await asyncio.wait_for(opened.wait(), PATIENCE)
                appending.set()
                await backend.session_store.append_event(message(session, "kept"))

            ended = await asyncio.gather(undo(), append(), return_exceptions=True)
            assert [type(error) for error in ended] == [UndoError, type(None)]

    run(main())
    assert contents(store, session) == ["kept"]


def test_calls_outside_of_the_yielded_ports_raise_at_once(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend:

            async def append() -> None:
                await backend.session_store.append_event(message(session))

            async with asyncio.timeout(PATIENCE), backend.transaction() as ports:
                for call in (append(), asyncio.create_task(append()), asyncio.wait_for(append(), PATIENCE)):
                    with pytest.raises(asm.StorageError, match="the backend's own ports do not join it"):
                        await call
                with pytest.raises(asm.StorageError, match="the backend's own ports do not join it"):
                    async with backend.transaction():
                        pass
                await ports.session_store.append_event(message(session))
            await append()

    run(main())
    assert len(contents(store, session)) == 2


def test_tasks_may_share_a_transaction(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend, backend.transaction() as ports:
            calls = [ports.session_store.append_event(message(session)) for _ in range(20)]
            numbers = [event.sequence_number for event in await asyncio.gather(*calls)]
            assert sorted(numbers) == list(range(1, 21))

    run(main())
    assert len(contents(store, session)) == 20


def test_nested_transactions_roll_back_by_themselves(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        async with asm.aio.wrap(store) as backend, backend.transaction() as outer:
            await outer.session_store.append_event(message(session, "1"))

            async def undo() -> None:
                async with outer.transaction() as inner:
                    await inner.session_store.append_event(message(session, "2"))
                    with pytest.raises(asm.StorageError, match="nested transaction is open"):
                        await outer.session_store.get_events(session.id)
                    raise UndoError

            with pytest.raises(UndoError):
                await undo()
            async with outer.transaction() as inner:
                await inner.session_store.append_event(message(session, "3"))

    run(main())
    assert contents(store, session) == ["1", "3"]


def test_many_transactions_need_few_threads(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> int:
        async with asm.aio.wrap(store) as backend:
            before = threading.active_count()

            async def write() -> int:
                async with backend.transaction() as ports:
                    await ports.session_store.append_event(message(session))
                    return threading.active_count() - before

            return max(await asyncio.gather(*(write() for _ in range(60))))

    assert run(main()) <= 2 * store.connections
    assert len(contents(store, session)) == 60


def test_plain_calls_that_wait_for_a_transaction_do_not_keep_it_from_ending(
    store: asm.Backend, session: asm.Session, run: Run
) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), asm.aio.wrap(store) as backend:
            opened = asyncio.Event()

            async def write() -> None:
                async with backend.transaction() as ports:
                    await ports.session_store.append_event(message(session))
                    opened.set()
                    await asyncio.sleep(0.1)
                    await ports.session_store.append_event(message(session))

            writing = asyncio.create_task(write())
            await asyncio.wait_for(opened.wait(), PATIENCE)
            await asyncio.gather(
                writing, *(backend.session_store.append_event(message(session)) for _ in range(3 * store.connections))
            )

    run(main())
    assert len(contents(store, session)) == 2 + 3 * store.connections


def test_close_waits_for_transactions(store: asm.Backend, session: asm.Session, run: Run) -> None:
    async def main() -> None:
        backend = asm.aio.wrap(store)
        opened = asyncio.Event()

        async def write() -> None:
            async with backend.transaction() as ports:
                opened.set()
                await asyncio.sleep(0.05)
                await ports.session_store.append_event(message(session))

        writing = asyncio.create_task(write())
        await asyncio.wait_for(opened.wait(), PATIENCE)
        with pytest.raises(asm.StorageError, match="1 calls are still under way"):
            await backend.close(timeout=0)
        await backend.close()
        assert writing.done()

    run(main())
    assert len(contents(store, session)) == 1


def test_bound_ports_commit_with_the_application(tmp_path: Path, run: Run) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/asm.db")
    store = SQLModelBackend(engine, migrate=True)
    session = store.session_store.save_session(asm.Session.new(agent_id="assistant"))

    async def main() -> None:
        async with asm.aio.wrap(store) as backend:
            for commits in (False, True):
                with OrmSession(engine) as orm:
                    async with backend.bind(orm) as ports:
                        await ports.session_store.append_event(message(session, f"{commits}"))
                    if commits:
                        orm.commit()

    run(main())
    assert contents(store, session) == ["True"]
    engine.dispose()


def test_an_asynchronous_engine_is_not_bound(tmp_path: Path, run: Run) -> None:
    foreign: Any = type("AsyncEngine", (), {"__module__": "sqlalchemy.ext.asyncio.engine"})

    async def main() -> None:
        async with asm.aio.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as backend:
            with pytest.raises(asm.ValidationError, match="is for asyncio, and a backend uses synchronous connections"):
                async with backend.bind(foreign()):
                    pass
            assert await backend.session_store.list_sessions() == []

    run(main())
