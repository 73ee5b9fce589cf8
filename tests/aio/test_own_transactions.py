"""`bind` takes the application's own asynchronous transaction."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import asm_core as asm
from asm_contract_tests.together import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Opened = tuple[asm.aio.Backend, Any]


@pytest.fixture(params=["sqlite+aiosqlite", "postgresql+psycopg", "postgresql+asyncpg"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    dialect, _, _ = request.param.partition("+")
    url = f"sqlite:///{tmp_path}/own.db" if dialect == "sqlite" else str(request.getfixturevalue("postgresql_url"))
    return url, url.replace(dialect, request.param, 1)


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


def test_the_ports_answer_as_outside_of_the_transaction(urls: Any) -> None:
    async def main() -> None:
        async with opened(urls) as (backend, engine):
            async with of_session(engine) as own, backend.bind(own) as ports:
                bound = await answers(ports)
            assert bound == await read(backend)

    asyncio.run(main())


def test_a_contradiction_leaves_the_transaction_usable(urls: Any) -> None:
    async def main() -> None:
        async with opened(urls) as (backend, engine):
            async with of_session(engine) as own, backend.bind(own) as ports:
                await write(ports, "ses_1")
                event = asm.Event.new(type="message_sent", session_id="ses_1", data={"content": "one"})
                stored = await ports.session_store.append_event(event)
                assert await ports.session_store.append_event(event) == stored
                other = asm.Event.new(id=event.id, type="message_sent", session_id="ses_1", data={"content": "two"})
                with pytest.raises(asm.AlreadyExistsError):
                    await ports.session_store.append_event(other)
                await write(ports, "ses_2")
            assert await backend.session_store.get_latest_sequence("ses_1") == 5

    asyncio.run(main())


async def answers(ports: Any) -> list[Any]:
    """Write what each port writes; return what it reads then."""
    store = ports.session_store
    session = asm.Session.new(
        id="ses_1",
        agent_id="own",
        user_id="ada",
        title="Größe",
        tags=["a", "b"],
        metadata={"nul": "\0", "n": [1.5, None]},
    )
    await store.save_session(session)
    await store.update_session("ses_1", lambda found: found.with_title("Größer"))
    run = asm.Run.new(id="run_1", session_id="ses_1", provider="echo", input={"prompt": "hello"})
    await store.save_run(run.add_token_usage({"input_tokens": 5, "output_tokens": 2}))
    for size in (1, 3, 20):
        events = [
            asm.Event.new(type="message_sent", session_id="ses_1", run_id="run_1", data={"content": f"{number} % é"})
            for number in range(size)
        ]
        await store.append_events(events)
    await store.flush(asm.ExecutionResult(asm.Session.new(id="ses_2", agent_id="own"), None, []))
    await store.delete_events("ses_1", before=3)
    [first, *_] = await store.get_events("ses_1", limit=1)
    await store.redact_events("ses_1", [first.id])
    artifact = asm.Artifact.new(
        id="art_1", session_id="ses_1", key="k", content_type="text/plain", byte_size=3, checksum_sha256="0" * 64,
        storage_backend="file", storage_ref="k",
    )  # fmt: skip
    await ports.artifact_registry.register(artifact)
    return await read(ports)


async def read(ports: Any) -> list[Any]:
    store, query = ports.session_store, ports.query_api
    events = await store.get_events("ses_1")
    page = await query.search_sessions(tags=["a"], user_id="ada", title="GRÖSSE", count=True)
    return [
        await store.get_session("ses_1"),
        await store.list_runs("ses_1"),
        events,
        await store.get_events("ses_1", type="message_sent", since=events[2].timestamp, order="desc", limit=5),
        (page.items, page.total_count),
        (await query.search_events(session_ids=["ses_1"], limit=4)).items,
        await query.get_usage_summary(group_by=("provider", "day")),
        await query.get_session_stats("ses_1"),
        await ports.artifact_registry.list_by_session("ses_1"),
        await ports.maintenance.health_check(),
    ]


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
            await asyncio.wait_for(is_writing.wait(), PATIENCE)
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


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_lost_connection_is_an_error_and_undoes_the_transaction(postgresql_url: str, driver: str) -> None:
    async def main() -> None:
        urls = postgresql_url, postgresql_url.replace("postgresql:", f"postgresql+{driver}:")
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
