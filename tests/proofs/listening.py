"""Listeners and notifications of PostgreSQL."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from asm_contract_tests.together import PATIENCE
from asm_core.event_log import waiting
from asm_core.sql.postgresql import listening
from asm_core.sql.postgresql.append_statements import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENERS = f"FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN {CHANNEL}'"


class Listeners:
    """The connections on which backends listen, as the server sees them; and one of the tests' own that listens."""

    def __init__(self, url: str) -> None:
        """Connect."""
        self._connection = psycopg.connect(url, autocommit=True)

    def count(self) -> int:
        """Return how many there are that listen by now."""
        rows = self._connection.execute(f"SELECT pid {_LISTENERS} AND state = 'idle'")  # type: ignore[call-overload]
        return len(rows.fetchall())

    def wait_for(self, count: int) -> None:
        """Wait until there are so many."""
        deadline = time.monotonic() + PATIENCE
        while self.count() != count:
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.002)

    def terminate(self) -> None:
        """End them all, and wait until they are gone."""
        self._connection.execute(f"SELECT pg_terminate_backend(pid, 10000) {_LISTENERS}")  # type: ignore[call-overload]

    @contextmanager
    def told(self) -> Iterator[list[str]]:
        """Collect the notifications during the context, complete at its end."""
        told: list[str] = []
        self._connection.execute(f"LISTEN {CHANNEL}")  # type: ignore[call-overload]
        yield told
        # Notifications of earlier commits arrive first.
        self._connection.execute(f"NOTIFY {CHANNEL}, 'end'")  # type: ignore[call-overload]
        for found in self._connection.notifies(timeout=PATIENCE):
            if found.payload == "end":
                break
            told.append(found.payload)
        self._connection.execute("UNLISTEN *")

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


@pytest.fixture
def listeners(url: str) -> Iterator[Listeners]:
    """Look at the test's database."""
    made = Listeners(url)
    yield made
    made.close()


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let watchers look again only when they are woken; else a test would take longer than it may."""
    monkeypatch.setattr(waiting, "SHORTEST_PAUSE", 10 * PATIENCE)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 10 * PATIENCE)


@pytest.fixture
def short_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make listeners reconnect soon after a failure."""
    monkeypatch.setattr(listening, "SHORTEST_REST", 0.01)
