"""The append on PostgreSQL, over the driver alone."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from processes import LIMIT, ended

from asm_core import AlreadyExistsError, Event, SessionNotFoundError
from asm_core.sql import Dialect, migrate
from asm_core.sql.postgresql.append import append_events
from asm_core.sql.postgresql.append_statements import append_statements
from asm_core.sql.queries.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSION = (
    "INSERT INTO asm_sessions (id, agent_id, status, metadata, context, tags, created_at, updated_at) "
    "VALUES (%s, 'a', 'active', '{}', '{}', '[]', now(), now())"
)
WRITERS = 8
WORDS = words_of(Dialect.POSTGRESQL)
STATEMENTS = append_statements(WORDS, notify=False)


class Store:
    """Appends over a connection in autocommit mode."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    @contextmanager
    def statement(self) -> Iterator[Any]:
        yield self.connection.execute

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.connection.transaction():
            yield self.connection.execute

    def append(self, *events: Event) -> list[Event]:
        return append_events(self.statement, self.transaction, list(events), STATEMENTS)

    def log(self, session: str = "s") -> list[tuple[Any, ...]]:
        return self.connection.execute(
            "SELECT sequence_number, id FROM asm_events WHERE session_id = %s ORDER BY sequence_number", (session,)
        ).fetchall()

    def last(self, session: str = "s") -> int:
        question = "SELECT last_sequence FROM asm_session_sequences WHERE session_id = %s"
        row = self.connection.execute(question, (session,)).fetchone()
        return 0 if row is None else row[0]


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url)
    migrate(opened.connection.execute, WORDS)
    for name in ("s", "t"):
        opened.connection.execute(SESSION, (name,))
    yield opened
    opened.connection.close()


def an_event(session: str = "s", **fields: Any) -> Event:
    return Event.new(**{"type": "message_streamed", "session_id": session, **fields})


def numbers(events: list[Event]) -> list[int | None]:
    return [event.sequence_number for event in events]


def test_events_are_numbered_from_one_without_a_gap(store: Store) -> None:
    assert [numbers(store.append(an_event())) for _ in range(3)] == [[1], [2], [3]]
    assert numbers(store.append(*(an_event() for _ in range(1000)))) == list(range(4, 1004))
    assert (store.last(), [number for number, _ in store.log()]) == (1003, list(range(1, 1004)))


def test_a_batch_may_span_sessions_and_keeps_its_order(store: Store) -> None:
    batch = [an_event(session) for session in "tstts"]
    stored = store.append(*batch)
    assert [event.id for event in stored] == [event.id for event in batch]
    assert numbers(stored) == [1, 1, 2, 3, 2]


def test_a_repeat_gives_back_what_is_stored_and_takes_no_number(store: Store) -> None:
    event = an_event(data={"nul": "\0", "b": 1, "a": [1.5, 2**63]}, metadata={"z": 1, "a": 2})
    [stored] = store.append(event)
    assert store.append(event, an_event(), event)[::2] == [stored, stored]
    assert repr(store.append(event)) == repr([stored])
    assert (store.last(), len(store.log())) == (2, 2)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_another_fact_under_a_stored_id_is_refused_and_nothing_is_stored(store: Store, place: int) -> None:
    [stored] = store.append(an_event())
    batch = [an_event("t"), an_event()]
    batch.insert(place, an_event(id=stored.id, data={"other": True}))
    with pytest.raises(AlreadyExistsError):
        store.append(*batch)
    assert (store.last(), store.last("t")) == (1, 0)


def test_a_missing_session_is_reported(store: Store) -> None:
    with pytest.raises(SessionNotFoundError, match="'gone'"):
        store.append(an_event(), an_event("gone"))
    assert store.last() == 0


def test_inside_a_transaction_of_the_caller_it_is_part_of_that(store: Store) -> None:
    event = an_event()
    with store.connection.transaction(force_rollback=True):
        [stored] = append_events(store.transaction, store.transaction, [event], STATEMENTS)
        assert append_events(store.transaction, store.transaction, [an_event(), event], STATEMENTS)[1] == stored
        assert store.last() == 2
    assert (store.last(), store.log()) == (0, [])


def at_once(url: str, work: Any) -> list[Any]:
    """Have writers, each on a connection of its own, do the work at the same time."""
    barrier = threading.Barrier(WRITERS)
    answers: list[Any] = [None] * WRITERS

    def write(place: int) -> None:
        own = Store(url)
        barrier.wait(LIMIT)
        try:
            answers[place] = work(own, place)
        except Exception as error:  # noqa: BLE001  looked at by the test
            answers[place] = error
        own.connection.close()

    threads = [threading.Thread(target=write, args=(place,)) for place in range(WRITERS)]
    for thread in threads:
        thread.start()
    ended(*threads)
    return answers


def test_many_writers_leave_no_gap(store: Store, url: str) -> None:
    at_once(url, lambda own, _: [own.append(an_event()) for _ in range(25)])
    assert [number for number, _ in store.log()] == list(range(1, 25 * WRITERS + 1))


def test_one_event_appended_by_many_at_once_is_stored_once(store: Store, url: str) -> None:
    for _ in range(10):
        event = an_event()
        answers = at_once(url, lambda own, _, event=event: own.append(an_event("t"), event)[1])
        assert len({repr(answer) for answer in answers}) == 1
    assert [number for number, _ in store.log()] == list(range(1, 11))
    assert store.last("t") == 10 * WRITERS


def test_batches_over_the_same_sessions_in_opposite_orders_do_not_block_each_other(store: Store, url: str) -> None:
    def work(own: Store, place: int) -> int:
        order = "st" if place % 2 else "ts"
        return sum(len(own.append(*(an_event(session) for session in order * 5))) for _ in range(10))

    assert at_once(url, work) == [100] * WRITERS
    assert (store.last("s"), store.last("t")) == (50 * WRITERS, 50 * WRITERS)
