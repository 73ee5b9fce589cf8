"""`bind` takes the application's own asynchronous transaction."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Opened = tuple[asm.aio.Backend, Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/own.db"
        return url, url.replace("sqlite:", "sqlite+aiosqlite:")
    url = str(request.getfixturevalue("postgresql_url"))
    return url, url.replace("postgresql:", "postgresql+psycopg:")


@asynccontextmanager
async def opened(urls: tuple[str, str]) -> AsyncIterator[Opened]:
    engine = create_async_engine(urls[1])
    async with asm.aio.open_backend("sqlmodel", url=urls[0], migrate=True) as backend:
        try:
            yield backend, engine
        finally:
            await engine.dispose()


async def write(ports: Any, name: str) -> int:
    await ports.session_store.save_session(asm.Session.new(id=name, agent_id="own", tags=["a"]))
    events = [asm.Event.new(type="message_sent", session_id=name) for _ in range(3)]
    await ports.session_store.append_events(events)
    stored = await ports.session_store.append_event(asm.Event.new(type="message_sent", session_id=name))
    assert len(await ports.session_store.get_events(name)) == 4
    return int(stored.sequence_number)


@asynccontextmanager
async def of_session(engine: Any) -> AsyncIterator[Any]:
    async with AsyncSession(engine) as session, session.begin():
        yield session


@asynccontextmanager
async def of_connection(engine: Any) -> AsyncIterator[Any]:
    async with engine.begin() as connection:
        yield connection


@pytest.mark.parametrize("transaction", [of_session, of_connection])
def test_calls_commit_and_roll_back_with_the_transaction_of_the_application(urls: Any, transaction: Any) -> None:
    async def main() -> None:
        async with opened(urls) as (backend, engine):
            async with transaction(engine) as own, backend.bind(own) as ports:
                assert await write(ports, "ses_1") == 4
            with pytest.raises(KeyError):  # noqa: PT012  the error ends the transaction
                async with transaction(engine) as own:
                    async with backend.bind(own) as ports:
                        await write(ports, "ses_2")
                    found = await own.execute(text("SELECT count(*) FROM asm_sessions"))
                    assert found.scalar() == 2
                    raise KeyError
            assert [session.id for session in await backend.session_store.list_sessions()] == ["ses_1"]

    asyncio.run(main())


def test_errors_and_nested_transactions_leave_the_transaction_usable(urls: Any) -> None:
    async def main() -> None:
        async with opened(urls) as (backend, engine):
            async with of_session(engine) as own, backend.bind(own) as ports:
                await write(ports, "ses_1")
                with pytest.raises(asm.SessionNotFoundError):
                    await ports.session_store.append_event(asm.Event.new(type="message_sent", session_id="ses_no"))
                with pytest.raises(KeyError):  # noqa: PT012  the error ends the transaction
                    async with ports.transaction() as nested:
                        await write(nested, "ses_2")
                        raise KeyError
                await asyncio.gather(*(write(ports, f"ses_{number}") for number in (3, 4)))
            names = {session.id for session in await backend.session_store.list_sessions()}
            assert names == {"ses_1", "ses_3", "ses_4"}

    asyncio.run(main())


def test_concurrent_transactions_and_cancelled_ones_are_whole_or_undone(urls: Any) -> None:
    async def main() -> None:
        async with opened(urls) as (backend, engine):

            async def one(number: int) -> None:
                async with of_session(engine) as own:
                    async with backend.bind(own) as ports:
                        await write(ports, f"ses_{number}")
                    if number % 3 == 0:
                        raise asyncio.CancelledError

            await asyncio.gather(*map(one, range(9)), return_exceptions=True)
            names = {session.id for session in await backend.session_store.list_sessions()}
            assert names == {f"ses_{number}" for number in range(9) if number % 3}

    asyncio.run(main())


def test_a_synchronous_bind_is_refused_with_the_way_that_works(urls: Any) -> None:
    async def main() -> None:
        async with opened(urls) as (backend, engine), of_connection(engine) as own:
            with backend.sync.bind(own) as ports, pytest.raises(asm.ValidationError, match=r"aio\.wrap"):
                ports.session_store.list_sessions()

    asyncio.run(main())


def test_another_driver_is_refused_with_those_that_work(postgresql_url: str) -> None:
    async def main() -> None:
        engine = create_async_engine(postgresql_url.replace("postgresql:", "postgresql+asyncpg:"))
        async with asm.aio.open_backend("sqlmodel", url=postgresql_url, migrate=True) as backend:
            with pytest.raises(asm.ValidationError, match=r"'asyncpg'.*postgresql\+psycopg://"):
                await backend.bind(AsyncSession(engine)).__aenter__()
        await engine.dispose()

    asyncio.run(main())


def test_a_call_that_is_cancelled_rolls_back_with_its_transaction(urls: Any) -> None:
    async def main() -> None:
        async with opened(urls) as (backend, engine):
            is_writing = asyncio.Event()

            async def work() -> None:
                async with of_session(engine) as own, backend.bind(own) as ports:
                    while True:
                        await ports.session_store.save_session(asm.Session.new(agent_id="own"))
                        is_writing.set()

            task = asyncio.create_task(work())
            await is_writing.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await backend.session_store.list_sessions() == []
            async with of_session(engine) as own, backend.bind(own) as ports:
                await write(ports, "ses_1")
                assert await ports.session_store.get_events("ses_1", after=4, wait_timeout=0.05) == []

    asyncio.run(main())


_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE state = 'idle in transaction' AND datname = current_database()"
)


def test_a_lost_connection_is_an_error_and_undoes_the_transaction(postgresql_url: str) -> None:
    async def main() -> None:
        urls = postgresql_url, postgresql_url.replace("postgresql:", "postgresql+psycopg:")
        async with opened(urls) as (backend, engine):
            async with AsyncSession(engine) as own, backend.bind(own) as ports:
                await write(ports, "ses_1")
                async with engine.connect() as other:
                    await other.execute(text(_END))
                with pytest.raises(asm.StorageConnectionError):
                    await write(ports, "ses_2")
                with pytest.raises(asm.StorageError):
                    await write(ports, "ses_3")
            assert await backend.session_store.list_sessions() == []

    asyncio.run(main())
