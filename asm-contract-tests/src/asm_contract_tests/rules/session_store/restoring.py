"""Copies: sessions restored with the numbers of their events."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, as_saved, at, changed, deleted, numbers
from asm_core import (
    AlreadyExistsError,
    AsmError,
    Event,
    QueryAPI,
    Session,
    SessionNotFoundError,
    SessionStore,
)


class RestoreContract(Contract):
    """`restore_session` stores an exact copy, all or nothing, and is idempotent."""

    @pytest.fixture
    def copied(self) -> Session:
        """Return a session that is not stored."""
        return as_saved(a_session(id="ses_copy", created_at=at(0)), 3)

    @pytest.fixture
    def copied_events(self) -> list[Event]:
        """Return three events of it, with gaps that pruning left."""
        return [an_event("ses_copy", id=f"evt_{number}").numbered(number) for number in (2, 3, 7)]

    def test_a_restored_session_is_an_exact_copy(
        self, store: SessionStore, copied: Session, copied_events: list[Event]
    ) -> None:
        """Check `_restore`: session, runs and events as they were, numbers and gaps included."""
        run = as_saved(a_run(copied), 2)
        assert store.restore_session(copied, [run], copied_events, last_sequence=9) == 3
        assert store.get_session(copied.id) == copied
        assert store.list_runs(copied.id) == [run]
        assert store.get_events(copied.id) == copied_events

    @pytest.mark.guarantee("G1")
    @pytest.mark.parametrize(("last_sequence", "expected"), [(0, 7), (6, 7), (7, 7), (9, 9)])
    def test_a_restored_counter_is_after_every_number(
        self, store: SessionStore, copied: Session, copied_events: list[Event], last_sequence: int, expected: int
    ) -> None:
        """Check how `_restore` raises the counter: to `last_sequence` or to the greatest number."""
        store.restore_session(copied, (), copied_events, last_sequence=last_sequence)
        assert store.get_latest_sequence(copied.id) == expected
        assert store.append_event(an_event(copied)).sequence_number == expected + 1

    def test_the_order_of_restored_events_does_not_matter(
        self, store: SessionStore, copied: Session, copied_events: list[Event]
    ) -> None:
        """Look for a copy that counts on ascending numbers."""
        assert store.restore_session(copied, events=reversed(copied_events)) == 3
        assert store.get_events(copied.id) == copied_events

    def test_restoring_needs_neither_runs_nor_events(self, store: SessionStore, copied: Session) -> None:
        """Check `_restore` with a session alone."""
        assert store.restore_session(copied) == 0
        assert store.get_session(copied.id) == copied
        assert store.get_latest_sequence(copied.id) == 0

    def test_restoring_may_be_repeated(self, store: SessionStore, copied: Session, copied_events: list[Event]) -> None:
        """Check `_restore`: stored records stay as they are and do not count."""
        store.restore_session(copied, [a_run(copied, id="run_1")], copied_events, last_sequence=9)
        assert store.restore_session(copied, [a_run(copied, id="run_1")], copied_events, last_sequence=9) == 0
        assert store.get_events(copied.id) == copied_events
        assert store.get_latest_sequence(copied.id) == 9

    def test_a_copy_may_be_restored_in_parts(
        self, store: SessionStore, copied: Session, copied_events: list[Event]
    ) -> None:
        """Check `_restore`: only the events that are not there yet count as new."""
        assert store.restore_session(copied, events=copied_events[:2]) == 2
        assert store.restore_session(copied, events=copied_events) == 1
        assert store.get_events(copied.id) == copied_events

    def test_restoring_leaves_what_is_stored_as_it_is(self, store: SessionStore, copied: Session) -> None:
        """Look for an upsert in `_restore` where an insert of what is missing is meant."""
        session = store.save_session(a_session(id=copied.id, agent_id="another"))
        run = store.save_run(a_run(session, id="run_1", provider="acme"))
        event = store.append_event(an_event(session, id="evt_1", metadata={"by": "first"}))
        again = changed(event, metadata={"by": "second"})
        assert store.restore_session(copied, [a_run(copied, id="run_1")], [again]) == 0
        assert store.get_session(copied.id) == session
        assert store.list_runs(copied.id) == [run]
        assert store.get_events(copied.id) == [event]

    def test_a_replacing_copy_makes_session_and_runs_equal_to_it(self, store: SessionStore, copied: Session) -> None:
        """Check `_restore` with `replace`: session and runs become equal to the copies, `deleted_at` included."""
        stored = store.save_session(a_session(id=copied.id, agent_id="another"))
        store.save_run(a_run(stored, id="run_1", status="completed"))
        gone, run = deleted(copied, days=2), as_saved(a_run(copied, id="run_1", status="running"))
        for session in (gone, copied):
            store.restore_session(session, [run], replace=True)
            assert store.get_session(copied.id) == session
            assert store.list_runs(copied.id) == [run]

    @pytest.mark.parametrize("replace", [False, True])
    def test_a_copied_run_never_moves_to_another_session(
        self, store: SessionStore, copied: Session, *, replace: bool
    ) -> None:
        """Check `_restore`: a run of another session has the id, and would be missing in the copy."""
        other = store.save_session(a_session())
        run = store.save_run(a_run(other))
        with pytest.raises(AlreadyExistsError, match=other.id):
            store.restore_session(copied, [a_run(copied, id=run.id)], replace=replace)
        assert store.get_run(run.id) == run
        with pytest.raises(SessionNotFoundError):
            store.get_session(copied.id)

    @pytest.mark.guarantee("G1")
    def test_restoring_never_lowers_the_counter(self, store: SessionStore, copied: Session) -> None:
        """Check how `_restore` sets the counter: it only raises it."""
        store.restore_session(copied, last_sequence=9)
        store.restore_session(copied, last_sequence=4)
        assert store.get_latest_sequence(copied.id) == 9

    def test_one_event_twice_in_a_copy_is_stored_once(
        self, store: SessionStore, copied: Session, copied_events: list[Event]
    ) -> None:
        """Check `_restore`: repeats within one call are repeats too."""
        assert store.restore_session(copied, events=[*copied_events, copied_events[0]]) == 3
        assert store.get_events(copied.id) == copied_events

    @pytest.mark.guarantee("G3")
    @pytest.mark.parametrize(
        "fields",
        [
            {"id": "evt_new", "sequence_number": 2},
            {"id": "evt_2", "sequence_number": 8},
            {"id": "evt_2", "sequence_number": 2, "data": {"n": "other"}},
            pytest.param({"id": "evt_elsewhere", "sequence_number": 1}, marks=pytest.mark.requires("global_event_ids")),
        ],
        ids=["number taken", "another number", "another fact", "id of another session"],
    )
    def test_a_copy_that_contradicts_the_store_changes_nothing(
        self, store: SessionStore, query: QueryAPI, copied: Session, copied_events: list[Event], fields: dict[str, Any]
    ) -> None:
        """Check `_restore`: an id or a number that another event has is AlreadyExistsError, and all rolls back."""
        other = store.save_session(a_session())
        store.append_event(an_event(other, id="evt_elsewhere"))
        store.restore_session(copied, events=copied_events)
        new = an_event(copied, id="evt_fine").numbered(20)
        with pytest.raises(AlreadyExistsError):
            store.restore_session(copied, [a_run(copied)], [new, changed(copied_events[0], **fields)], last_sequence=30)
        assert store.get_events(copied.id) == copied_events
        assert store.get_latest_sequence(copied.id) == 7
        assert query.search_runs().items == []

    def test_two_events_with_one_number_are_refused(
        self, store: SessionStore, copied: Session, copied_events: list[Event]
    ) -> None:
        """Check `_restore`: numbers within one call must differ too, or nothing is stored."""
        with pytest.raises(AlreadyExistsError):
            store.restore_session(copied, events=[*copied_events, an_event(copied).numbered(7)])
        with pytest.raises(SessionNotFoundError):
            store.get_session(copied.id)

    @pytest.mark.guarantee("G15")
    def test_a_log_that_is_full_takes_no_more(self, store: SessionStore, copied: Session) -> None:
        """Look for a number beyond 64 bits: a driver's error, a float, or a number below the last one."""
        store.restore_session(copied, last_sequence=2**63 - 1)
        with pytest.raises(AsmError):
            store.append_event(an_event(copied))
        assert store.get_latest_sequence(copied.id) == 2**63 - 1
        assert store.get_events(copied.id) == []

    def test_numbers_may_be_far_apart(self, store: SessionStore, copied: Session) -> None:
        """Look for work in proportion to the numbers instead of the events."""
        far = [an_event(copied).numbered(1), an_event(copied).numbered(2**53 + 1)]
        store.restore_session(copied, events=far, last_sequence=2**62)
        assert store.get_events(copied.id) == far
        assert numbers(store.get_events(copied.id, after=2**53)) == [2**53 + 1]
        assert store.get_latest_sequence(copied.id) == 2**62
