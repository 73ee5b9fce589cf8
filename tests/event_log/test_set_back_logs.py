"""A log that lost its last events is reported to those who read them, whatever was appended since."""

from __future__ import annotations

import pickle
import random
import sqlite3
import threading
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.making import a_session, an_event, label, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun, in_threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Execute = Callable[..., list[Any]]
    SetBack = Callable[[str, int], None]

FILTERS = pytest.mark.parametrize("filters", [{}, {"type": "message_received"}, {"type": "run_failed"}], ids=label)
"""None, one that all events but the first pass, and one that only the first passes."""


def begin(store: asm.SessionStore, count: int = 15) -> tuple[asm.Session, list[asm.Event]]:
    session = store.save_session(a_session())
    events = [an_event(session, type="run_failed"), *some_events(session, count - 1)]
    return session, store.append_events(events)


def passing(events: list[asm.Event], filters: dict[str, str]) -> list[asm.Event]:
    return [event for event in events if filters.get("type") in {None, event.type}]


@FILTERS
@pytest.mark.parametrize("regrown", [0, 3, 5, 7, 500])
def test_a_follower_detects_a_loss_between_two_polls(
    backend: asm.Backend, set_back: SetBack, filters: dict[str, str], regrown: int
) -> None:
    store = backend.session_store
    session, events = begin(store)
    follow = store.follow_events(session.id, **filters, idle_timeout=PATIENCE)
    seen = list(islice(follow, len(passing(events, filters))))
    if seen[-1].sequence_number == 1:
        with begun(lambda: next(follow)) as coming:
            seen.append(store.append_event(an_event(session, type="run_failed")))
            assert coming.result(PATIENCE) == seen[-1]
    set_back(session.id, 10)
    store.append_events(some_events(session, regrown))
    with pytest.raises(asm.LogSetBackError) as caught:
        next(follow)
    assert caught.value.details["last_seen"] == seen[-1].sequence_number
    with pytest.raises(asm.LogSetBackError):
        store.get_events(session.id, after=events[14], **filters)
    assert numbers(store.get_events(session.id, after=14)) == list(range(15, 11 + regrown))


@pytest.mark.parametrize("regrown", [0, 5, 7])
def test_a_follower_that_waits_finds_it(backend: asm.Backend, set_back: SetBack, regrown: int) -> None:
    store = backend.session_store
    session, events = begin(store)
    follow = store.follow_events(session.id, after=events[-1])
    with begun(lambda: next(follow)) as coming:
        set_back(session.id, 10)
        store.append_events(some_events(session, regrown))
        with pytest.raises(asm.LogSetBackError):
            coming.result(PATIENCE)


@pytest.mark.parametrize("kept", [0, 10])
@FILTERS
def test_what_was_pruned_is_not_lost(
    backend: asm.Backend, execute: Execute, filters: dict[str, str], kept: int
) -> None:
    store = backend.session_store
    session, events = begin(store)
    follow = store.follow_events(session.id, **filters, idle_timeout=PATIENCE)
    assert list(islice(follow, len(passing(events, filters)))) == passing(events, filters)
    execute("DELETE FROM asm_events WHERE sequence_number > ?", kept)
    last = store.append_event(an_event(session, **{"type": "message_received", **filters}))
    assert next(follow) == last
    assert store.get_events(session.id, after=events[-1], **filters) == [last]


def test_a_number_is_not_checked(backend: asm.Backend, set_back: SetBack) -> None:
    store = backend.session_store
    session, _ = begin(store)
    set_back(session.id, 10)
    assert store.get_events(session.id, after=15) == []
    assert list(store.follow_events(session.id, after=15, idle_timeout=0)) == []


def test_a_follower_goes_on_in_a_transaction_that_other_connections_do_not_see(backend: asm.Backend) -> None:
    store = backend.session_store
    session, _ = begin(store)
    with backend.transaction():
        store.append_events(some_events(session, 3))
        assert len(list(store.follow_events(session.id, idle_timeout=0.1))) == 18


@pytest.mark.parametrize("name", ["sqlmodel", "peewee", "pony"])
def test_a_follower_finds_that_a_backup_was_restored(name: str, tmp_path: Path) -> None:
    with asm.open_backend(name, url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as backend:
        store = backend.session_store
        session, _ = begin(store, 10)
        with (
            closing(sqlite3.connect(tmp_path / "asm.db")) as live,
            closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
        ):
            live.backup(copy)
            last = store.append_events(some_events(session, 5))[-1]
            follow = store.follow_events(session.id)
            assert list(islice(follow, 15))[-1] == last
            copy.backup(live)
        store.append_events(some_events(session, 7))
        with pytest.raises(asm.LogSetBackError):
            next(follow)
        with pytest.raises(asm.LogSetBackError):
            store.get_events(session.id, after=last)


class Pasts:
    """A writer whose log is set back again and again, and followers that check what each event came after."""

    def __init__(self, store: asm.SessionStore, set_back: SetBack) -> None:
        self._store = store
        self._set_back = set_back
        self._session = store.save_session(a_session())
        self._before: dict[str, str] = {}
        self._log: list[str] = []
        self._over = threading.Event()
        self._chance = random.Random(7)  # noqa: S311  no secrets

    def write(self, rounds: int) -> int:
        try:
            for _ in range(rounds):
                for _ in range(self._chance.randint(1, 6)):
                    self._append()
                if self._chance.random() < 0.3:
                    last = max(0, len(self._log) - self._chance.randint(0, 4))
                    del self._log[last:]
                    self._set_back(self._session.id, last)
        finally:
            self._over.set()
        return 0

    def follow(self, **filters: str) -> int:
        """Return how often the log was set back under a follower, which then begins at the start."""
        found, last = 0, None
        while not self._over.is_set():
            try:
                for event in self._store.follow_events(self._session.id, after=last or 0, idle_timeout=0.05, **filters):
                    self._check(last, event, has_gaps=bool(filters))
                    last = event
            except asm.LogSetBackError:
                found, last = found + 1, None
        return found

    def _append(self) -> None:
        event = an_event(self._session, type=self._chance.choice(["run_failed", "turn_completed"]))
        self._before[event.id] = self._log[-1] if self._log else ""
        self._log.append(self._store.append_event(event).id)

    def _check(self, last: asm.Event | None, event: asm.Event, *, has_gaps: bool) -> None:
        if last is not None:
            place = self._before[event.id]
            while has_gaps and place not in {last.id, ""}:
                place = self._before[place]
            assert place == last.id, f"{event.sequence_number} does not come after {last.sequence_number}"


def test_no_follower_ever_mixes_two_pasts(backend: asm.Backend, set_back: SetBack, soak: int) -> None:
    pasts = Pasts(backend.session_store, set_back)
    _, of_all, of_some = in_threads(
        lambda: pasts.write(40 * soak), pasts.follow, lambda: pasts.follow(type="run_failed")
    )
    assert of_all
    assert of_some


def test_the_error_keeps_its_details_in_another_process() -> None:
    error = asm.LogSetBackError("ses_1", 15, "its last number is 10")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert copy.to_dict() == error.to_dict()
    assert error.to_dict()["code"] == "log_set_back"
    assert error.details == {"session_id": "ses_1", "last_seen": 15, "found": "its last number is 10"}
    assert not error.retryable
    assert "read up to number 15, and now its last number is 10" in str(error)
