"""Flushing: session, run and events at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, as_saved, changed, numbers, some_events
from asm_core import (
    AlreadyExistsError,
    ExecutionResult,
    QueryAPI,
    Run,
    RunNotFoundError,
    Session,
    SessionNotFoundError,
    SessionStore,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class FlushContract(Contract):
    """`flush` stores a session, a run and events, all or nothing."""

    @pytest.mark.guarantee("G5")
    def test_a_flush_stores_session_run_and_events(self, store: SessionStore) -> None:
        """Check `_flush`: all three, and the events as they were appended."""
        session = a_session()
        run = a_run(session)
        events = some_events(session, 3, run_id=run.id)
        stored = store.flush(ExecutionResult(session, run, events))
        assert stored == [event.numbered(place) for place, event in enumerate(events, 1)]
        assert store.get_session(session.id) == as_saved(session)
        assert store.get_run(run.id) == as_saved(run)
        assert store.get_events(session.id) == stored

    @pytest.mark.guarantee("G8")
    def test_a_flush_replaces_session_and_run(self, store: SessionStore, session: Session) -> None:
        """Check `_flush`: it upserts as the `save` methods do."""
        run = store.save_run(a_run(session, status="running"))
        store.append_event(an_event(session))
        ended, completed = session.with_status("active"), run.with_status("completed")
        assert numbers(store.flush(ExecutionResult(ended, completed, [an_event(session)]))) == [2]
        assert store.get_session(session.id) == as_saved(ended, 2)
        assert store.get_run(run.id) == as_saved(completed, 2)

    def test_a_flush_needs_neither_run_nor_events(self, store: SessionStore) -> None:
        """Check `_flush`: run None and no events are not an error."""
        session = a_session()
        assert store.flush(ExecutionResult(session)) == []
        assert store.get_session(session.id) == as_saved(session)
        assert store.list_runs(session.id) == []

    @pytest.mark.guarantee("G3")
    def test_a_flush_may_be_repeated(self, store: SessionStore, query: QueryAPI) -> None:
        """Check `_flush`: its events are idempotent by id, as those of `append_events`."""
        session = a_session()
        result = ExecutionResult(session, a_run(session), some_events(session, 2))
        assert store.flush(result) == store.flush(result)
        assert query.count_events() == 2

    def test_a_flush_lays_metadata_over_that_of_the_run(self, store: SessionStore, session: Session) -> None:
        """Check `flush`: `provider_metadata` goes over the run's own, key by key."""
        run = a_run(session, provider_metadata={"model": "old", "region": "north"})
        store.flush(ExecutionResult(session, run, provider_metadata={"model": "new", "seed": 1}))
        assert store.get_run(run.id).provider_metadata == {"model": "new", "region": "north", "seed": 1}

    def test_a_flush_may_contain_events_of_other_sessions(self, store: SessionStore, session: Session) -> None:
        """Check `_flush`: events and run may belong to any session that exists."""
        new = a_session()
        run = a_run(session)
        stored = store.flush(ExecutionResult(new, run, [an_event(session), an_event(new)]))
        assert numbers(stored) == [1, 1]
        assert store.list_runs(session.id) == [as_saved(run)]

    @pytest.mark.guarantee("G5")
    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (lambda run, events: (run, [*events, an_event("ses_unknown")]), SessionNotFoundError),
            (lambda run, events: (changed(run, session_id="ses_unknown"), events), SessionNotFoundError),
            (lambda run, events: (run, [*events, an_event(run.session_id, id="evt_taken")]), AlreadyExistsError),
            (lambda run, events: (run, [*events, changed(events[0], data={"n": "other"})]), AlreadyExistsError),
            (lambda run, events: (run, [*events, events[0].numbered(9)]), ValidationError),
            (lambda run, events: (changed(run, status="asleep"), events), ValidationError),
        ],
        ids=["unknown session", "run of unknown session", "taken id", "two facts", "number", "status"],
    )
    def test_a_flush_that_fails_changes_nothing(
        self, store: SessionStore, query: QueryAPI, fault: Callable[..., tuple[Run, Any]], error: type[Exception]
    ) -> None:
        """Check the transaction of `_flush`: it must hold session, run, events and counters together."""
        before = store.save_session(a_session())
        taken = store.append_event(an_event(before, id="evt_taken", data={"n": "taken"}))
        run, events = fault(a_run(before), some_events(before, 2))
        with pytest.raises(error):
            store.flush(ExecutionResult(before.with_status("active"), run, events))
        assert store.get_session(before.id) == before
        with pytest.raises(RunNotFoundError):
            store.get_run(run.id)
        assert store.get_events(before.id) == [taken]
        assert store.get_latest_sequence(before.id) == 1
        assert query.count_events() == 1

    @pytest.mark.requires("global_event_ids")
    @pytest.mark.guarantee("G5")
    def test_a_flush_that_fails_makes_no_session(self, store: SessionStore, session: Session) -> None:
        """Check the transaction of `_flush`: a session that did not exist before must not exist after."""
        taken = store.append_event(an_event(session, data={"n": "taken"}))
        new = a_session()
        with pytest.raises(AlreadyExistsError):
            store.flush(ExecutionResult(new, a_run(new), [an_event(new), an_event(new, id=taken.id)]))
        with pytest.raises(SessionNotFoundError):
            store.get_session(new.id)
