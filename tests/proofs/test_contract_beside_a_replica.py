"""Rules of the contract beside a replica: one that replays nothing, and one with `remote_apply`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from postgresql_server import delete_rows
from test_failover import until
from test_replicas import caught_up, paused

import asm_core as asm
from asm_contract_tests.rules.query_api.sessions import SearchSessionsContract
from asm_contract_tests.rules.query_api.totals import UsageContract
from asm_contract_tests.rules.session_store.appending import AppendContract
from asm_contract_tests.rules.session_store.following import FollowEventsContract
from asm_contract_tests.rules.session_store.setbacks import SetBackContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from own_server import OwnServer

    from asm_contract_tests import OpenBackend

BACKEND = "peewee"
APPLIED = ("synchronous_standby_names = '*'", "synchronous_commit = 'remote_apply'")


@pytest.fixture(scope="module")
def urls(own_server: OwnServer) -> Iterator[tuple[str, str]]:
    """Return the URLs of a migrated database at a primary and at its replica."""
    with own_server.standby() as standby:
        primary = own_server.new_database()
        with asm.open_backend(BACKEND, url=primary, migrate=True):
            caught_up(primary, standby(primary))
        yield primary, standby(primary)


@contextmanager
def set_up(primary: str, *settings: str) -> Iterator[None]:
    """Change settings of a server, and reset them."""
    with psycopg.connect(primary, autocommit=True) as there:
        for setting in settings:
            there.execute(f"ALTER SYSTEM SET {setting}")  # type: ignore[call-overload]
        there.execute("SELECT pg_reload_conf()")
        try:
            until(there, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")
            yield
        finally:
            for setting in settings:
                there.execute(f"ALTER SYSTEM RESET {setting.split()[0]}")  # type: ignore[call-overload]
            there.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="class")
def lagging(urls: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Let the replica replay nothing, while the tests of a class run."""
    with paused(urls[1]):
        yield urls


@pytest.fixture(scope="class")
def applying(urls: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Let commits wait until the replica has replayed them, while the tests of a class run."""
    caught_up(*urls)
    with set_up(urls[0], *APPLIED):
        yield urls


def opening(urls: tuple[str, str], *, follow: bool) -> OpenBackend:
    """Empty the store; return what opens it with its replica."""
    primary, replica = urls
    with psycopg.connect(primary, autocommit=True) as there:
        delete_rows(there)
    return lambda: asm.open_backend(BACKEND, url=primary, read_url=replica, follow_replica=follow)


class TestBesideALaggingReplica(AppendContract, SetBackContract):
    @pytest.fixture
    def open_backend(self, lagging: tuple[str, str]) -> OpenBackend:
        return opening(lagging, follow=False)


class TestWithRemoteApply(FollowEventsContract, SearchSessionsContract, UsageContract):
    @pytest.fixture
    def open_backend(self, applying: tuple[str, str]) -> OpenBackend:
        return opening(applying, follow=True)


def test_replica_answers_in_these_tests(applying: tuple[str, str]) -> None:
    with opening(applying, follow=True)() as backend:
        assert backend.maintenance.health_check() == []  # it would report a replica that is not used
