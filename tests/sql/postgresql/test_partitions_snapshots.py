"""A read finds the whole log, also if its snapshot is older than the partitions."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from processes import LIMIT
from sqlalchemy import NullPool, create_engine, make_url

import asm_core as asm
from asm_contract_tests.making import a_session, numbers, some_events

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKENDS = ("peewee", "pony", "sqlmodel")
EVENTS = 20
WAITS = "SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE NOT l.granted AND c.relname ~ '^asm_'"


@pytest.fixture
def backend(postgresql_url: str) -> Iterator[asm.Backend]:
    """Return a store that is not partitioned."""
    with asm.open_backend("sqlmodel", url=postgresql_url, migrate=True) as backend:
        yield backend


@pytest.fixture
def session(backend: asm.Backend) -> asm.Session:
    """Return a session with events."""
    session = backend.session_store.save_session(a_session())
    backend.session_store.append_events(some_events(session, EVENTS))
    return session


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_transaction_that_began_before_reads_the_whole_log(
    backend: asm.Backend, session: asm.Session, postgresql_url: str, isolation: str
) -> None:
    at = make_url(postgresql_url).set(drivername="postgresql+psycopg")
    engine = create_engine(at, isolation_level=isolation, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT 1")  # takes the snapshot
        backend.migrate(partitions=3)
        with backend.bind(connection) as ports:
            assert numbers(ports.session_store.get_events(session.id)) == list(range(1, EVENTS + 1))
            assert ports.query_api.count_events(session_ids=session.id) == EVENTS


@pytest.mark.parametrize("name", BACKENDS)
def test_prepared_read_that_waits_finds_the_whole_log(
    backend: asm.Backend, session: asm.Session, postgresql_url: str, name: str
) -> None:
    with (
        asm.open_backend(name, url=postgresql_url, pool_size=1) as other,
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(postgresql_url, autocommit=True) as watching,
    ):
        read = other.session_store.get_events
        for _ in range(8):
            read(session.id)  # prepared from the sixth on
        with backend.transaction():
            backend.migrate(partitions=3)
            waiting = pool.submit(read, session.id)
            end = time.monotonic() + LIMIT
            while not watching.execute(WAITS).fetchone():
                assert time.monotonic() < end
        assert numbers(waiting.result(LIMIT)) == list(range(1, EVENTS + 1))


@pytest.mark.parametrize("name", BACKENDS)
def test_each_backend_partitions_a_store(
    backend: asm.Backend, session: asm.Session, postgresql_url: str, name: str
) -> None:
    before = backend.query_api.export_session(session.id)
    with asm.open_backend(name, url=postgresql_url, migrate=True, partitions=3):
        pass
    assert backend.query_api.export_session(session.id) == before
    assert backend.maintenance.health_check() == []
