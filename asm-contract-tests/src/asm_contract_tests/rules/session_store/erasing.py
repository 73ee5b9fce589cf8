"""Deletion and redaction of events."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, ids, numbers, some_events
from asm_core import (
    AlreadyExistsError,
    Event,
    Maintenance,
    QueryAPI,
    Session,
    SessionNotFoundError,
    SessionStore,
    StoredEvent,
    ValidationError,
)

MANY = 1_203


class EraseContract(Contract):
    """`delete_events` and `redact_events` take content out of a log, whose numbers stay used."""

    @pytest.fixture
    def erasable(self, store: SessionStore, session: Session) -> list[StoredEvent]:
        """Return the five events of a session: the second one streamed, the fourth of a run."""
        others: list[dict[str, Any]] = [{}, {"type": "message_streamed"}, {}, {"run_id": "run_1"}, {}]
        return store.append_events(
            [an_event(session, id=f"evt_{n}", data={"n": n}, **o) for n, o in enumerate(others, 1)]
        )

    @pytest.mark.guarantee("G1")
    @pytest.mark.parametrize(
        ("filters", "deleted"),
        [
            ({"ids": ["evt_2", "evt_5", "evt_unknown"]}, [2, 5]),
            ({"ids": "evt_1"}, [1]),
            ({"ids": []}, []),
            ({"run_id": "run_1"}, [4]),
            ({"type": "message_streamed"}, [2]),
            ({"after": 3}, [4, 5]),
            ({"before": 3}, [1, 2]),
            ({"after": 0}, [1, 2, 3, 4, 5]),
            ({"after": 1, "before": 5, "type": "message_received"}, [3, 4]),
        ],
    )
    def test_deleted_events_are_gone_and_their_numbers_stay_used(
        self, store: SessionStore, session: Session, erasable: list[Event], filters: dict[str, Any], deleted: list[int]
    ) -> None:
        """Check the filters of `delete_events`, and that no counter changes."""
        other = store.append_event(an_event(store.save_session(a_session()), id="evt_other"))
        erased = store.delete_events(session.id, **filters)
        assert (erased, erased.is_pending) == (len(deleted), False)
        assert store.get_events(session.id) == [event for event in erasable if event.sequence_number not in deleted]
        assert store.get_latest_sequence(session.id) == 5
        assert store.append_event(an_event(session)).sequence_number == 6
        assert store.get_events(other.session_id) == [other]

    def test_many_events_are_deleted_and_redacted(self, store: SessionStore, session: Session) -> None:
        """Check that a batch continues after the previous one."""
        events = store.append_events(some_events(session, MANY))
        assert store.redact_events(session.id, ids(events)) == MANY
        assert {event.data == {} for event in store.get_events(session.id)} == {True}
        assert store.delete_events(session.id, before=MANY) == MANY - 1
        assert numbers(store.get_events(session.id)) == [MANY]

    def test_a_follower_continues_over_deleted_events(
        self, store: SessionStore, session: Session, erasable: list[Event]
    ) -> None:
        """Check that a deleted event does not count as a log that was set back."""
        following = store.follow_events(session.id, after=erasable[1], idle_timeout=0)
        assert numbers(list(islice(following, 1))) == [3]
        store.delete_events(session.id, before=5)
        assert numbers(list(following)) == [4, 5]
        assert numbers(store.get_events(session.id, after=erasable[1])) == [5]

    def test_totals_stay_after_a_deletion(self, store: SessionStore, query: QueryAPI, session: Session) -> None:
        """Check that usage, which belongs to runs, does not depend on the log."""
        run = a_run(session, provider="acme", token_usage={"input_tokens": 3, "output_tokens": 2})
        store.save_run(run)
        store.append_event(an_event(session, type="token_usage_updated", run_id=run.id))
        before = query.get_usage_summary()
        store.delete_events(session.id, after=0)
        assert query.get_usage_summary() == before

    def test_a_deleted_id_may_be_stored_again(
        self, store: SessionStore, session: Session, erasable: list[Event]
    ) -> None:
        """Check that nothing of a deleted event remains: not even its id."""
        store.delete_events(session.id, ids=erasable[2].id)
        again = store.append_event(an_event(session, id="evt_3", data={"other": True}))
        assert again.sequence_number == 6

    def test_events_are_not_deleted_without_a_filter(self, store: SessionStore, session: Session) -> None:
        """Check the arguments of `delete_events`."""
        with pytest.raises(ValidationError, match="after=0"):
            store.delete_events(session.id)

    @pytest.mark.guarantee("G7")
    def test_an_unknown_session_has_nothing_to_erase(self, store: SessionStore) -> None:
        """Check both calls: an unknown session is SessionNotFoundError."""
        with pytest.raises(SessionNotFoundError):
            store.delete_events("ses_unknown", after=0)
        with pytest.raises(SessionNotFoundError):
            store.redact_events("ses_unknown", ["evt_1"])

    def test_a_redacted_event_keeps_all_but_its_content(
        self, store: SessionStore, session: Session, erasable: list[Event]
    ) -> None:
        """Check `_redact_events`: data and metadata of these events, and nothing else."""
        erased = store.redact_events(session.id, ["evt_4", "evt_unknown"], data={"content": "removed"})
        assert (erased, erased.is_pending) == (1, False)
        found = store.get_events(session.id)
        assert found[:3] + found[4:] == erasable[:3] + erasable[4:]
        redacted = found[3]
        assert (redacted.data, list(redacted.metadata)) == ({"content": "removed"}, ["asm_redacted"])
        assert Event.from_dict({**redacted.to_dict(), "data": erasable[3].data, "metadata": {}}) == erasable[3]

    def test_an_event_of_another_session_is_not_redacted(
        self, store: SessionStore, session: Session, erasable: list[Event]
    ) -> None:
        """Check the condition of `_redact_events`: the session and the id."""
        other = store.save_session(a_session())
        assert store.redact_events(other.id, ids(erasable)) == 0
        assert store.get_events(session.id) == erasable

    @pytest.mark.guarantee("G3")
    def test_a_redacted_event_stays_redacted(
        self, store: SessionStore, session: Session, erasable: list[Event]
    ) -> None:
        """Check that a repeated append and a restored copy match without data, and bring none back."""
        original = erasable[2]
        store.redact_events(session.id, original.id)
        redacted = store.get_events(session.id)[2]
        unnumbered = Event.from_dict({**original.to_dict(), "sequence_number": None})
        assert store.append_event(unnumbered) == redacted
        assert store.append_events([an_event(session), unnumbered])[1] == redacted
        assert store.restore_session(session, events=[original]) == 0
        assert store.get_events(session.id)[2] == redacted
        with pytest.raises(AlreadyExistsError):
            store.append_event(Event.from_dict({**unnumbered.to_dict(), "type": "message_sent"}))

    def test_erasure_is_finished_without_readers(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `finish_erasure`: without an open reader no copy of removed content remains, also on a repeat."""
        store.append_events(some_events(session, 3))
        assert store.delete_events(session.id, after=0) == 3
        assert [maintenance.finish_erasure(), maintenance.finish_erasure()] == [True, True]
