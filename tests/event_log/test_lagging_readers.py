"""A follower that reads pages from replicas, each with a lag of its own, yields each event once, in order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

import asm_core as asm
from asm_contract_tests.making import a_session, numbers, some_events
from asm_core.event_log.following import FOLLOW_PAGE, Follower
from asm_core.querying.heads import GONE, Head
from asm_core.querying.lagging import LaggingReader
from asm_core.querying.queries import EventQuery

if TYPE_CHECKING:
    from collections.abc import Collection

COUNT = 3 * FOLLOW_PAGE + 7


class Replicas(LaggingReader):
    """Replicas behind one address: each call reaches one, which has a part of the log, or does not answer."""

    def __init__(self, store: asm.SessionStore, choice: random.Random) -> None:
        """Lag behind a store."""
        self._reader = store.reader
        self._choice = choice
        self.pages = 0

    def find_events(self, query: EventQuery) -> list[asm.StoredEvent] | None:
        """Return the events that this replica has."""
        has = self._choice.choice([None, 0, COUNT, self._choice.randrange(COUNT)])
        self.pages += has is not None
        found = self._reader.find_events(query)
        return None if has is None else [event for event in found if event.sequence_number <= has]

    def load_heads(self, session_ids: Collection[str]) -> dict[str, Head] | None:
        """Return the heads that this replica has."""
        heads = self._reader.load_heads(session_ids)
        lags = self._choice.randrange(COUNT)
        return {key: head._replace(last_sequence=max(0, head.last_sequence - lags)) for key, head in heads.items()}


@pytest.mark.parametrize("types", [None, ("run_failed",)], ids=["all", "filtered"])
@pytest.mark.parametrize("seed", range(10))
def test_replicas_that_lag_lose_and_repeat_no_event(seed: int, types: tuple[str, ...] | None) -> None:
    choice = random.Random(seed)  # noqa: S311  not a secret
    with asm.MemoryBackend() as backend:
        store = backend.session_store
        session = store.save_session(a_session())
        written: list[asm.StoredEvent] | None = _written(store, session, choice)
        replicas = Replicas(store, choice)
        follower = Follower(store.reader, EventQuery(session_ids=(session.id,), types=types), None, replicas)
        seen: list[int] = []
        expected: list[int] = []
        while written is not None:
            expected += [event.sequence_number for event in written if types is None or event.type in types]
            while events := follower.read():
                seen += numbers(events)
            assert expected[: len(seen)] == seen
            for _ in range(3):
                follower.see(choice.choice([GONE, *(replicas.load_heads([session.id]) or {}).values()]))
                while events := follower.read():
                    seen += numbers(events)
            written = _written(store, session, choice) if store.get_latest_sequence(session.id) < COUNT else None
        follower.see(store.reader.load_heads([session.id])[session.id])
        while events := follower.read():
            seen += numbers(events)
        assert seen == expected
        assert replicas.pages


def _written(store: asm.SessionStore, session: asm.Session, choice: random.Random) -> list[asm.StoredEvent]:
    """Append some events, of two types."""
    count = choice.randrange(1, FOLLOW_PAGE + 50)
    kinds = ("run_failed", "run_started")
    return store.append_events(
        [event for _ in range(count) for event in some_events(session, 1, type=choice.choice(kinds))]
    )
