"""LISTEN on PostgreSQL: the server notifies waiters in other processes of committed appends.

Notifications are hints, after which waiters read the log. Nothing depends on them, and their failure has no effect.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import closing, suppress
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any, Final

from asm_core.sql.failures import translate
from asm_core.sql.postgresql.append_statements import CHANNEL
from asm_core.sql.postgresql.sockets import leave_in_child

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_REST: Final = 1.0
LONGEST_REST: Final = 60.0
"""Seconds before a reconnect after a failure, doubled each time."""
_FAREWELL: Final = 1.0
"""Seconds to wait for the end of the thread: it may be connecting to a server that does not respond."""
_LOGGER: Final = logging.getLogger(__name__)


class Listener:
    """Listens in a separate thread, on a separate connection; reconnects after a loss."""

    def __init__(self, connect: Callable[[], Any], tell: Callable[[str | None], None]) -> None:
        """Start without waiting for the connection.

        Args:
            connect: opens a connection of psycopg 3 or psycopg2.
            tell: called with the id of each session that has new events; with None when it has begun to listen.
        """
        self._connect = connect
        self._tell = tell
        self._ended = False
        self._rest = SHORTEST_REST
        self._bell, self._ear = socket.socketpair()
        self._thread = threading.Thread(target=self._work, name="asm-listener", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._bell.close()
            self._ear.close()
            raise

    def end(self) -> None:
        """Close the connection, and wait a moment for the thread."""
        self._ended = True
        with suppress(OSError):  # it has ended
            self._bell.send(b"\0")
        self._thread.join(_FAREWELL)

    def _work(self) -> None:
        with self._bell, self._ear, DefaultSelector() as bell:
            bell.register(self._ear, EVENT_READ)
            while not self._ended:
                try:
                    self._listen()
                except Exception as error:  # noqa: BLE001  after any error, waiters continue to poll
                    self._report(error)
                    bell.select(self._rest)
                    self._rest = min(LONGEST_REST, self._rest * 2)

    def _listen(self) -> None:
        with closing(self._connect()) as driver, DefaultSelector() as either:
            leave_in_child(driver)
            driver.rollback()  # a transaction that an application's hook may have begun
            driver.autocommit = True
            driver.cursor().execute(f"LISTEN {CHANNEL}")
            self._rest = SHORTEST_REST
            either.register(self._ear, EVENT_READ)
            either.register(driver.fileno(), EVENT_READ)
            # Earlier commits are found by a poll that begins now.
            self._tell(None)
            while not self._ended:
                either.select()
                for session_id in _heard(driver):
                    self._tell(session_id)

    def _report(self, error: Exception) -> None:
        if self._rest == SHORTEST_REST:  # logged once, not at each attempt
            _LOGGER.warning("LISTEN failed; appends are found later, by polling: %s", translate(error))


def _heard(driver: Any) -> list[str]:
    """Return the sessions of received notifications.

    Raises:
        Exception: an error of the driver, because the connection is lost.
    """
    if hasattr(driver, "pgconn"):  # psycopg 3, whose own method would block
        driver.pgconn.consume_input()
        return [found.extra.decode(errors="replace") for found in iter(driver.pgconn.notifies, None)]
    driver.poll()
    told = [found.payload for found in driver.notifies]
    driver.notifies.clear()
    return told
