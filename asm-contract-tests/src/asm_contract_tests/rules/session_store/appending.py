"""Events: appended one by one."""

from __future__ import annotations

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_event, at, full_event, numbers, some_events
from asm_core import (
    AlreadyExistsError,
    EventType,
    Session,
    SessionNotFoundError,
    SessionStore,
)


class AppendContract(Contract):
    """Appending numbers the events of a session 1, 2, 3, … and returns them as stored."""

    @pytest.mark.guarantee("G9")
    def test_an_event_comes_back_equal_but_for_its_number(self, store: SessionStore, session: Session) -> None:
        """Check how `_append` writes each field, and at how `find_events` reads it."""
        event = full_event(session)
        assert store.append_event(event) == event.numbered(1)
        assert store.get_events(session.id) == [event.numbered(1)]

    @pytest.mark.guarantee("G1")
    def test_events_are_numbered_from_one_without_a_gap(self, store: SessionStore, session: Session) -> None:
        """Check how `_append` takes numbers from the counter."""
        stored = [store.append_event(event) for event in some_events(session, 5)]
        assert numbers(stored) == [1, 2, 3, 4, 5]
        assert store.get_events(session.id) == stored

    @pytest.mark.guarantee("G1")
    def test_each_session_has_numbers_of_its_own(self, store: SessionStore, session: Session) -> None:
        """Look for a counter that sessions share."""
        other = store.save_session(a_session())
        stored = [store.append_event(an_event(place)) for place in (session, other, session, other, other)]
        assert numbers(stored) == [1, 1, 2, 2, 3]

    @pytest.mark.guarantee("G1")
    def test_numbers_follow_the_order_of_appending_not_of_time(self, store: SessionStore, session: Session) -> None:
        """Look for an order by timestamp or id where that of appending counts."""
        for name, second in [("evt_c", 3), ("evt_a", 2), ("evt_b", 1)]:
            store.append_event(an_event(session, id=name, timestamp=at(second)))
        assert [event.id for event in store.get_events(session.id)] == ["evt_c", "evt_a", "evt_b"]

    @pytest.mark.guarantee("G6")
    def test_the_latest_number_is_that_of_the_last_event(self, store: SessionStore, session: Session) -> None:
        """Check `load_heads`: 0 before the first event, then the counter."""
        assert store.get_latest_sequence(session.id) == 0
        for number in (1, 2, 3):
            store.append_event(an_event(session))
            assert store.get_latest_sequence(session.id) == number

    @pytest.mark.guarantee("G7")
    def test_an_unknown_session_has_no_latest_number(self, store: SessionStore) -> None:
        """Check `load_heads`: it leaves unknown sessions out, and 0 means something else."""
        with pytest.raises(SessionNotFoundError):
            store.get_latest_sequence("ses_unknown")

    @pytest.mark.guarantee("G7")
    def test_nothing_is_appended_to_an_unknown_session(self, store: SessionStore) -> None:
        """Check `_append`: a missing session is SessionNotFoundError, and leaves nothing, not even a counter."""
        with pytest.raises(SessionNotFoundError) as caught:
            store.append_event(an_event("ses_unknown"))
        assert caught.value.details == {"session_id": "ses_unknown"}
        store.save_session(a_session(id="ses_unknown"))
        assert store.get_latest_sequence("ses_unknown") == 0
        assert store.get_events("ses_unknown") == []

    @pytest.mark.guarantee("G1")
    def test_an_append_that_fails_takes_no_number(self, store: SessionStore, session: Session) -> None:
        """Check `_append`: the counter must go back with the rest."""
        taken = store.append_event(an_event(session, data={"first": 1}))
        with pytest.raises(AlreadyExistsError):
            store.append_event(an_event(session, id=taken.id))
        assert store.get_latest_sequence(session.id) == 1
        assert store.append_event(an_event(session)).sequence_number == 2

    def test_a_run_of_an_event_need_not_be_stored(self, store: SessionStore, session: Session) -> None:
        """Look for a foreign key on the `run_id` of events: it is a label."""
        event = store.append_event(an_event(session, run_id="run_not_yet"))
        assert store.get_events(session.id, run_id="run_not_yet") == [event]

    def test_appending_leaves_the_session_as_it_is(self, store: SessionStore, session: Session) -> None:
        """Look for an append that touches `updated_at`, or writes the session at all."""
        store.append_event(an_event(session))
        assert store.get_session(session.id) == session

    def test_every_type_of_event_is_kept(self, store: SessionStore, session: Session) -> None:
        """Check how the type is written and read, and at whether it may be given as a string."""
        store.append_events(an_event(session, type=str(kind)) for kind in EventType)
        assert [event.type for event in store.get_events(session.id)] == list(EventType)
        assert {type(event.type) for event in store.get_events(session.id)} == {EventType}
