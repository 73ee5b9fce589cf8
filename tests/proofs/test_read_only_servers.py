"""A PostgreSQL server that became read-only behind its address: the call after a retryable error finds the primary."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from cutting_proxy import server_socket, url_through
from processes import ended

import asm_core as asm
from asm_contract_tests.making import a_session, an_event, numbers
from asm_contract_tests.together import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from own_server import OwnServer


class Address:
    """An address behind which another server can come to stand, for connections that are opened from then on."""

    def __init__(self, url: str) -> None:
        """Lead to the server of `url`."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = url
        self.url = url_through(self._listener, url)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Take no more connections, and wait for the end of those that there are."""
        self._listener.shutdown(socket.SHUT_RDWR)
        ended(*self._threads)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                ends = self._listener.accept()[0], server_socket(self.target)
                self._threads.append(threading.Thread(target=_hand_on, args=ends))
                self._threads[-1].start()


def _hand_on(client: socket.socket, server: socket.socket) -> None:
    other = {client: server, server: client}
    with client, server, contextlib.suppress(OSError):
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(1 << 16)
                if not data:
                    return
                other[source].sendall(data)


@pytest.fixture
def address(own_server: OwnServer) -> Iterator[Address]:
    """Return the address of an empty database of the server that tests may stop."""
    made = Address(own_server.new_database())
    yield made
    made.close()


@pytest.fixture
def stored(backend_name: str, address: Address) -> Iterator[asm.Backend]:
    """Open a store with a session and two idle connections."""
    with asm.open_backend(backend_name, url=address.url, migrate=True) as opened:
        opened.session_store.save_session(a_session(id="s"))
        both = threading.Barrier(2)

        def hold() -> None:
            with opened.transaction():
                opened.session_store.append_event(an_event(opened.session_store.save_session(a_session())))
                both.wait(60)

        in_threads(hold, hold)
        yield opened


def configure(url: str, value: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")  # type: ignore[call-overload]
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def set_read_only(address: Address) -> Iterator[Callable[[str], None]]:
    """Return what makes the server read-only, and back, also for connections that are open."""
    yield lambda value: configure(address.target, value)
    configure(address.target, "off")


def outcome(backend: asm.Backend) -> type[BaseException] | None:
    """Append an event; return how that failed, which is to be an error that may be retried."""
    try:
        backend.session_store.append_event(an_event("s"))
    except asm.StorageConnectionError as error:
        return type(error)
    return None


def append_until(backend: asm.Backend, wanted: type[BaseException] | None) -> None:
    """Append until it ends so: a server takes a moment to read its settings again."""
    for _ in range(10_000):
        if outcome(backend) is wanted:
            return
    pytest.fail("it did not happen")


def test_server_that_is_made_read_only_and_back_gives_retryable_errors_meanwhile(
    stored: asm.Backend, set_read_only: Callable[[str], None]
) -> None:
    set_read_only("on")
    append_until(stored, asm.StorageConnectionError)
    set_read_only("off")
    append_until(stored, None)
    found = numbers(stored.session_store.get_events("s"))
    assert found == list(range(1, len(found) + 1))


def test_call_after_one_on_a_standby_finds_the_primary(
    backend_name: str, own_server: OwnServer, address: Address
) -> None:
    primary = address.target
    with asm.open_backend(backend_name, url=primary, migrate=True) as backend, own_server.standby() as standby_url:
        backend.session_store.save_session(a_session(id="s"))
        standby = standby_url(primary)
        wait_for_replay(primary, standby)
        address.target = standby
        with asm.open_backend(backend_name, url=address.url) as demoted:
            assert outcome(demoted) is asm.StorageConnectionError
            address.target = primary
            assert outcome(demoted) is None


def wait_for_replay(primary: str, standby: str) -> None:
    """Wait until the standby has all that the primary has now."""
    with psycopg.connect(primary) as connection:
        written = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    with psycopg.connect(standby, autocommit=True) as connection:
        for _ in range(100_000):
            if connection.execute("SELECT pg_last_wal_replay_lsn() >= %s", written).fetchone() == (True,):
                return
    pytest.fail("the standby did not follow")
