"""Events: appended in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_event, at, changed, ids, numbers, some_events
from asm_core import (
    AlreadyExistsError,
    Event,
    EventType,
    QueryAPI,
    Session,
    SessionNotFoundError,
    SessionStore,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class BatchesContract(Contract):
    """`append_events` stores all or nothing and keeps the order given."""

    @pytest.mark.guarantee("G4")
    def test_a_batch_is_numbered_in_the_order_given(self, store: SessionStore, session: Session) -> None:
        """Look for a sort by id or time on the way of `_append`."""
        batch = [an_event(session, id=name, timestamp=at(second)) for name, second in [("c", 3), ("a", 2), ("b", 1)]]
        stored = store.append_events(batch)
        assert stored == [event.numbered(place) for place, event in enumerate(batch, 1)]
        assert store.get_events(session.id) == stored

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize("several", [False, True], ids=["one_session", "several"])
    def test_a_batch_comes_back_in_which_events_differ_in_every_field(
        self,
        store: SessionStore,
        several: bool,  # noqa: FBT001  pytest hands it in
    ) -> None:
        """Check how `_append` encodes many events in one statement: None, quotes, escapes, new lines."""
        odd = [
            None,
            "plain",
            'double "quotes"',
            "back\\slash",
            "\n\t\r",
            "comma, {brace}",
            "NULL",
            "'",
            "%s $1 ?",
            "\u2028 é 😀",
        ]
        for name in ("ses_a", "ses_b"):
            store.save_session(a_session(id=name))
        batch = [
            an_event(
                "ses_b" if several and place % 3 else "ses_a",
                id=f"evt {value} {place}",
                type=list(EventType)[place],
                timestamp=at(place),
                run_id=value,
                data={f"{value}": [value, "\0"]},
                metadata={"place": place},
                schema_version=1 + place,
                provider=odd[place - 1],
                correlation_id=odd[place - 2],
            )
            for place, value in enumerate(odd)
        ]
        stored = store.append_events(batch)
        assert [changed(event, sequence_number=None) for event in stored] == batch
        found = [*store.get_events("ses_a"), *store.get_events("ses_b")]
        assert sorted(found, key=lambda event: event.timestamp) == stored

    @pytest.mark.guarantee("G4")
    def test_a_batch_may_span_sessions(self, store: SessionStore) -> None:
        """Check how `_append` numbers each session separately, and returns the order of the batch."""
        for name in ("ses_b", "ses_a"):
            store.save_session(a_session(id=name))
        batch = [an_event(name) for name in ("ses_b", "ses_a", "ses_b", "ses_a", "ses_b")]
        stored = store.append_events(batch)
        assert ids(stored) == ids(batch)
        assert numbers(stored) == [1, 1, 2, 2, 3]
        assert store.get_events("ses_b") == stored[::2]
        assert store.get_events("ses_a") == stored[1::2]

    @pytest.mark.guarantee("G1")
    def test_a_batch_goes_on_where_the_last_one_ended(self, store: SessionStore, session: Session) -> None:
        """Check how `_append` takes a block of numbers from the counter."""
        stored = [store.append_events(some_events(session, count)) for count in (3, 1, 2)]
        assert [numbers(batch) for batch in stored] == [[1, 2, 3], [4], [5, 6]]

    def test_no_events_are_a_no_op(self, store: SessionStore, session: Session) -> None:
        """Check `append_events`: an empty batch is not an error."""
        assert store.append_events([]) == []
        assert store.get_latest_sequence(session.id) == 0

    def test_a_batch_may_be_any_iterable(self, store: SessionStore, session: Session) -> None:
        """Look for an `append_events` that goes through its argument twice."""
        assert numbers(store.append_events(event for event in some_events(session, 3))) == [1, 2, 3]

    @pytest.mark.guarantee("G4")
    def test_a_large_batch_is_stored_whole(self, store: SessionStore, session: Session) -> None:
        """Look for a limit on the parameters of one statement."""
        stored = store.append_events(some_events(session, 3000))
        assert numbers(stored) == list(range(1, 3001))
        assert store.get_events(session.id, after=2998) == stored[2998:]

    @pytest.mark.guarantee("G4")
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_batch_with_an_unknown_session_stores_nothing(
        self, store: SessionStore, query: QueryAPI, session: Session, place: int
    ) -> None:
        """Check the transaction of `_append`: what came before the fault must go back, counters included."""
        batch: list[Event] = some_events(session, 2)
        batch.insert(place, an_event("ses_unknown"))
        with pytest.raises(SessionNotFoundError):
            store.append_events(batch)
        assert query.count_events() == 0
        assert store.get_latest_sequence(session.id) == 0

    @pytest.mark.guarantee("G4")
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_batch_with_a_taken_id_stores_nothing(
        self, store: SessionStore, query: QueryAPI, session: Session, place: int
    ) -> None:
        """Check the transaction of `_append`: what came before the fault must go back, counters included."""
        taken = store.append_event(an_event(session, data={"n": "taken"}))
        batch: list[Event] = some_events(session, 2)
        batch.insert(place, an_event(session, id=taken.id))
        with pytest.raises(AlreadyExistsError):
            store.append_events(batch)
        assert query.count_events() == 1
        assert store.get_latest_sequence(session.id) == 1

    @pytest.mark.guarantee("G4")
    def test_an_iterable_that_fails_stores_nothing(self, store: SessionStore, session: Session) -> None:
        """Look for events that are written before the caller's iterable has ended; its error passes through."""

        def broken() -> Iterator[Event]:
            yield an_event(session)
            raise LookupError

        with pytest.raises(LookupError):
            store.append_events(broken())
        assert store.get_latest_sequence(session.id) == 0
