"""Forks of sessions."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, numbers, soft_deleted
from asm_core import (
    Maintenance,
    QueryAPI,
    RetentionPolicy,
    SessionNotFoundError,
    SessionStatus,
    SessionStore,
    ValidationError,
)


class ForkSessionContract(Contract):
    """`fork_session` copies the beginning of a log under new ids, all or nothing."""

    @pytest.fixture
    def original(self, store: SessionStore) -> str:
        """Return a completed session with a run and six events."""
        session = store.save_session(
            a_session(user_id="ann", title="Plan", tags=["t"], metadata={"k": 1}, status=SessionStatus.COMPLETED)
        )
        run = store.save_run(a_run(session, token_usage={"input_tokens": 5, "output_tokens": 2}))
        kinds = ["run_started", "message_sent", "message_streamed", "acme.x", "run_completed", "session_completed"]
        for place, kind in enumerate(kinds):
            store.append_event(an_event(session, type=kind, data={"n": place}, run_id=run.id if place < 5 else None))
        return session.id

    @pytest.mark.parametrize(("at", "expected"), [(None, 6), (6, 6), (3, 3), (1, 1), (0, 0)])
    def test_a_fork_has_the_beginning_of_the_log(
        self, store: SessionStore, original: str, at: int | None, expected: int
    ) -> None:
        """Check `fork_session` and `_restore`: data, numbers, new ids, and the number of the next event."""
        fork = store.fork_session(original, at=at)
        copies, source = store.get_events(fork.id), store.get_events(original)
        assert [(one.sequence_number, one.type, one.data) for one in copies] == [
            (one.sequence_number, one.type, one.data) for one in source[:expected]
        ]
        assert not {one.id for one in copies} & {one.id for one in source}
        assert store.append_event(an_event(fork)).sequence_number == expected + 1
        assert numbers(store.get_events(original)) == [1, 2, 3, 4, 5, 6]

    def test_a_fork_names_its_parent(self, store: SessionStore, original: str) -> None:
        """Check the fields of a fork, and that it is stored as returned."""
        fork, parent = store.fork_session(original), store.get_session(original)
        assert store.get_session(fork.id) == fork
        assert (fork.parent_session_id, fork.status) == (original, SessionStatus.PENDING)
        for field in ("agent_id", "user_id", "title", "tags", "metadata", "context"):
            assert getattr(fork, field) == getattr(parent, field)

    def test_a_fork_has_no_usage(
        self, store: SessionStore, query: QueryAPI, maintenance: Maintenance, original: str
    ) -> None:
        """Check that runs are not copied, and that events of one run have one new run id."""
        fork = store.fork_session(original)
        assert store.list_runs(fork.id) == []
        assert query.get_usage_summary().total_tokens == 7
        runs = [event.run_id for event in store.get_events(fork.id)]
        assert len(set(runs[:5])) == 1
        assert runs[0] not in {None, store.list_runs(original)[0].id}
        assert runs[5] is None
        assert maintenance.health_check() == []

    def test_a_fork_keeps_the_gaps_of_pruned_events(
        self, store: SessionStore, maintenance: Maintenance, original: str
    ) -> None:
        """Check `_restore`: numbers are copied, not counted."""
        maintenance.prune_session_events(original, RetentionPolicy(max_events_per_session=5))
        assert numbers(store.get_events(store.fork_session(original, at=5).id)) == [1, 2, 4, 5]
        fork = store.fork_session(original, at=3)
        assert numbers(store.get_events(fork.id)) == [1, 2]
        assert store.get_latest_sequence(fork.id) == 3

    def test_a_deleted_session_can_be_forked(self, store: SessionStore, original: str) -> None:
        """Check that a fork of a soft-deleted session is live."""
        soft_deleted(store, store.get_session(original))
        fork = store.fork_session(original)
        assert fork.deleted_at is None
        assert len(store.get_events(fork.id)) == 6

    @pytest.mark.parametrize(
        "arguments", [{"at": 7}, {"at": -1}, {"at": True}, {"max_events": 5}, {"at": 3, "max_events": 2}], ids=repr
    )
    def test_a_fork_that_is_refused_stores_nothing(
        self, store: SessionStore, original: str, arguments: dict[str, Any]
    ) -> None:
        """Check `fork_session`: a number after the last one, and too many events."""
        with pytest.raises(ValidationError):
            store.fork_session(original, **arguments)
        assert [session.id for session in store.list_sessions()] == [original]

    @pytest.mark.guarantee("G7")
    def test_an_unknown_session_is_not_forked(self, store: SessionStore) -> None:
        """Check `fork_session`: SessionNotFoundError."""
        with pytest.raises(SessionNotFoundError):
            store.fork_session("ses_unknown")
