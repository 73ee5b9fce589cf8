"""A pooler that gives out connections by transaction, as PgBouncer does, and mixes them as much as it can.

Each transaction of a client goes to another connection of the server than the one before, and what a client set on a
connection is met by the others. It refuses the parameters at the start that PgBouncer 1.18 refuses.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest
from cutting_proxy import server_socket, url_through
from processes import ended
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

KNOWN = "user database client_encoding DateStyle TimeZone standard_conforming_strings application_name"
_VERSION = 196608
_WISHES = (80877103, 80877104)  # to speak under SSL or GSS
_ENDS = (b"Q", b"S")
"""Messages after which the server says that it is ready: a simple query, and the end of an extended one."""


class Wire:
    """One side of a connection, message by message."""

    def __init__(self, end: socket.socket) -> None:
        """Speak over a socket."""
        self._end, self._file = end, end.makefile("rb")
        self.send = end.sendall

    def read(self) -> tuple[bytes, bytes]:
        """Return the kind of the next message, and the whole of it; ConnectionError at the end."""
        head = self._file.read(5)
        if len(head) != 5:
            raise ConnectionError
        return head[:1], head + self._file.read(struct.unpack("!I", head[1:])[0] - 4)

    def read_start(self) -> tuple[int, bytes]:
        """Return the code and the rest of a message that has no kind, as the first ones."""
        length, code = struct.unpack("!II", self._file.read(8))
        return code, self._file.read(length - 8)

    def read_until_ready(self) -> bytes:
        """Return all messages up to the one that says that the server is ready."""
        answer, kind = b"", b""
        while kind != b"Z":
            kind, message = self.read()
            answer += message
        return answer

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._end.close()


class TransactionPooler:
    """Listens on a port of its own; `url` is the way through it."""

    def __init__(self, url: str, *, size: int = 3) -> None:
        """Open so many connections to the database of `url`."""
        self._target, self._greeting = url, b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._idle: queue.Queue[Wire] = queue.Queue()
        self.url = url_through(self._listener, url)
        self.transactions = 0
        for _ in range(size):
            self._idle.put(self._connect())
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Take no more clients, wait for those that there are, and hang up."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            ended(thread)
        self._listener.close()
        while not self._idle.empty():
            self._idle.get().close()

    def _connect(self) -> Wire:
        place, wire = make_url(self._target), Wire(server_socket(self._target))
        names = f"user\0{place.username}\0database\0{place.database}\0\0".encode()
        wire.send(struct.pack("!II", len(names) + 8, _VERSION) + names)
        self._greeting = wire.read_until_ready()
        return wire

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client = Wire(self._listener.accept()[0])
                self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
                self._threads[-1].start()

    def _serve(self, client: Wire) -> None:
        with contextlib.suppress(ConnectionError):
            self._greet(client)
            while True:
                self._transact(client)
        client.close()

    def _greet(self, client: Wire) -> None:
        code, rest = client.read_start()
        while code in _WISHES:
            client.send(b"N")
            code, rest = client.read_start()
        for name in set(rest.decode().split("\0")[:-2:2]) - set(KNOWN.split()):
            fields = f"SFATAL\0C08P01\0Munsupported startup parameter: {name}\0\0".encode()
            client.send(b"E" + struct.pack("!I", len(fields) + 4) + fields)
            raise ConnectionError
        client.send(self._greeting)

    def _transact(self, client: Wire) -> None:
        """Serve one transaction with one connection, the one that was idle for longest."""
        kind, message = client.read()
        if kind == b"X":
            raise ConnectionError
        server = self._idle.get()
        self.transactions += 1
        try:
            while not self._hand_over(kind, message, client, server):
                kind, message = client.read()
        except BaseException:
            # The client is gone in the middle of a transaction: so must be what it began.
            server.close()
            server = self._connect()
            raise
        finally:
            self._idle.put(server)

    def _hand_over(self, kind: bytes, message: bytes, client: Wire, server: Wire) -> bool:
        """Hand a message over, and the answer back; return whether no transaction is open after it."""
        server.send(message)
        answer = server.read_until_ready() if kind in _ENDS else b""
        client.send(answer)
        return answer.endswith(b"I")


@pytest.fixture
def pooler(url: str) -> Iterator[TransactionPooler]:
    """Return a pooler before the test's database."""
    made = TransactionPooler(url)
    yield made
    made.close()
