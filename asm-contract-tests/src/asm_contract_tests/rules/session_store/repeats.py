"""Repeated appends of events."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_event, at, changed, label, numbers, some_events
from asm_core import AlreadyExistsError, Event, QueryAPI, Session, SessionStore

OTHER_FACTS: list[Any] = [
    pytest.param({"session_id": "ses_other"}, marks=pytest.mark.requires("global_event_ids")),
    {"run_id": "run_other"},
    {"type": "message_sent"},
    {"data": {"n": 2}},
    {"data": {"n": True}},
    {"data": {"n": 1.0}},
]


class RepeatsContract(Contract):
    """Appending is idempotent by the id of the event."""

    @pytest.fixture
    def event(self, store: SessionStore, session: Session) -> Event:
        """Return an event that is not stored yet; another session of its store is called ``ses_other``."""
        store.save_session(a_session(id="ses_other"))
        return an_event(session, run_id="run_1", data={"n": 1}, metadata={"by": "first"}, timestamp=at(1))

    @pytest.mark.guarantee("G3")
    def test_an_event_appended_twice_is_stored_once(self, store: SessionStore, query: QueryAPI, event: Event) -> None:
        """Check `_append`: what is stored under the id is returned, and nothing is written."""
        first = store.append_event(event)
        assert store.append_event(event) == first
        assert query.count_events() == 1

    @pytest.mark.guarantee("G3")
    def test_a_repeat_takes_no_number(self, store: SessionStore, event: Event) -> None:
        """Check `_append`: the counter moves only with a new event."""
        store.append_event(event)
        store.append_event(event)
        assert store.get_latest_sequence(event.session_id) == 1
        assert store.append_event(an_event(event.session_id)).sequence_number == 2

    @pytest.mark.guarantee("G3")
    def test_an_event_twice_in_one_batch_is_stored_once(self, store: SessionStore, event: Event) -> None:
        """Check `_append`: both places of the batch get the stored one."""
        between = an_event(event.session_id)
        stored = store.append_events([event, between, event])
        assert numbers(stored) == [1, 2, 1]
        assert store.get_events(event.session_id) == stored[:2]

    @pytest.mark.guarantee("G3")
    def test_a_batch_may_repeat_what_is_stored(self, store: SessionStore, event: Event) -> None:
        """Check `_append`: repeats and new events mix, and the new ones are numbered without a gap."""
        first = store.append_event(event)
        new = some_events(event.session_id, 2)
        stored = store.append_events([new[0], event, new[1]])
        assert stored == [new[0].numbered(2), first, new[1].numbered(3)]

    @pytest.mark.guarantee("G3")
    def test_a_batch_may_be_repeated_as_a_whole(self, store: SessionStore, session: Session) -> None:
        """Check `_append`: a caller that lost the response retries, and gets the same event."""
        batch = some_events(session, 4)
        first = store.append_events(batch)
        assert store.append_events(batch) == first
        assert store.get_events(session.id) == first

    @pytest.mark.guarantee("G3")
    @pytest.mark.parametrize("fields", [{"timestamp": at(2)}, {"metadata": {"by": "second"}}, {"provider": "acme"}])
    def test_the_first_telling_of_a_fact_stays(self, store: SessionStore, event: Event, fields: dict[str, Any]) -> None:
        """Check what `_append` returns for a repeat: the stored event, not the given one."""
        first = store.append_event(event)
        assert store.append_event(changed(event, **fields)) == first
        assert store.get_events(event.session_id) == [first]

    @pytest.mark.guarantee("G3")
    @pytest.mark.parametrize("fields", OTHER_FACTS, ids=label)
    def test_another_fact_under_a_stored_id_is_refused(
        self, store: SessionStore, event: Event, fields: dict[str, Any]
    ) -> None:
        """Check `_append`: `ensure_idempotent` compares the events."""
        first = store.append_event(event)
        with pytest.raises(AlreadyExistsError):
            store.append_event(changed(event, **fields))
        assert store.get_events(event.session_id) == [first]
        assert store.get_latest_sequence("ses_other") == 0

    @pytest.mark.guarantee("G3")
    @pytest.mark.parametrize("fields", OTHER_FACTS, ids=label)
    def test_two_facts_under_one_id_in_a_batch_are_refused(
        self, store: SessionStore, query: QueryAPI, event: Event, fields: dict[str, Any]
    ) -> None:
        """Check `_append`: it compares the events of a batch with each other too, and then stores none."""
        with pytest.raises(AlreadyExistsError):
            store.append_events([event, changed(event, **fields)])
        assert query.count_events() == 0

    @pytest.mark.guarantee("G3")
    def test_an_id_that_differs_in_case_is_another(self, store: SessionStore, session: Session) -> None:
        """Look for a collation that ignores case."""
        store.append_events([an_event(session, id="evt_a"), an_event(session, id="EVT_A", data={"n": 2})])
        assert store.get_latest_sequence(session.id) == 2
