"""A wire to a PostgreSQL server, which can be cut at any round trip: before the request arrives, or its answer."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from processes import ended
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIZE = 1 << 20


def server_socket(url: str) -> socket.socket:
    """Return a connection to the server of a URL, on which nothing was said yet."""
    with psycopg.connect(url) as connection:
        host, port = connection.info.host, connection.info.port
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    wire = socket.socket(socket.AF_UNIX)
    wire.connect(f"{host}/.s.PGSQL.{port}")
    return wire


def url_through(listener: socket.socket, url: str) -> str:
    """Return the URL by which the database of `url` is reached through what listens."""
    host, port = listener.getsockname()
    place = make_url(url).difference_update_query(["host", "port"]).set(host=host, port=port)
    return place.render_as_string(hide_password=False)


class CuttingProxy:
    """Hands requests and answers on; one connection is cut at the request that `cut` names."""

    def __init__(self, url: str, *, reaches_server: bool) -> None:
        """Listen, on a port of its own, for the database of `url`; lose the answer only, or the request already."""
        self._target = url
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._left: int | None = None
        self._reaches_server = reaches_server
        self._links: list[threading.Thread] = []
        self.url = url_through(self._listener, url)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self, after: int) -> None:
        """Cut at the request after so many others."""
        with self._lock:
            self._left = after

    def mend(self) -> bool:
        """Cut no more; return whether it did."""
        with self._lock:
            was_cut, self._left = self._left is None, None
            return was_cut

    def move(self, url: str) -> None:
        """Lead connections that are opened from now on to the server of another URL."""
        self._target = url

    def close(self) -> None:
        """Take no more connections, and wait for the end of those that there are."""
        self._listener.shutdown(socket.SHUT_RDWR)
        ended(self._thread)
        self._listener.close()
        for link in self._links:
            ended(link)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                link = threading.Thread(target=self._link, args=(client,), daemon=True)
                self._links.append(link)
                link.start()

    def _link(self, client: socket.socket) -> None:
        with client, server_socket(self._target) as server, contextlib.suppress(ConnectionError):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                source, target = (client, server) if client in ready else (server, client)
                data = source.recv(_SIZE)
                is_last = not data or (source is client and self._is_the_one())
                if not is_last or self._reaches_server:
                    target.sendall(data)
                if is_last:
                    if data and self._reaches_server:
                        server.recv(_SIZE)
                    return

    def _is_the_one(self) -> bool:
        with self._lock:
            if self._left is None:
                return False
            self._left -= 1
            if self._left >= 0:
                return False
            self._left = None
            return True


@pytest.fixture(params=["request_lost", "answer_lost"])
def proxy(url: str, request: pytest.FixtureRequest) -> Iterator[CuttingProxy]:
    """Return a wire to the test's database."""
    made = CuttingProxy(url, reaches_server=request.param == "answer_lost")
    yield made
    made.close()
