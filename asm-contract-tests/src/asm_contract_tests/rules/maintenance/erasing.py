"""Erasure of a user: every session of the user is removed, and no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, ids, soft_deleted, some_events
from asm_core import (
    ArtifactRegistry,
    Backend,
    Maintenance,
    QueryAPI,
    SessionNotFoundError,
    SessionStore,
    ValidationError,
    user_namespace,
)
from asm_core.values.times import utc_now


class EraseUserContract(Contract):
    """`erase_user` removes what belongs to a user, whatever a policy exempts."""

    def test_an_erased_user_leaves_nothing(
        self, store: SessionStore, query: QueryAPI, maintenance: Maintenance, artifacts: ArtifactRegistry
    ) -> None:
        """Check `erase_user`: pinned, active and soft-deleted sessions too, with all their records."""
        other = store.save_session(a_session(user_id="u2"))
        kept = store.append_event(an_event(other))
        own = [
            store.save_session(a_session(user_id="u1", tags=["pinned"], status="active")),
            soft_deleted(store, a_session(user_id="u1"), days=1),
            store.save_session(a_session(user_id="u1", status="completed")),
        ]
        store.save_run(a_run(own[0]))
        store.append_events(some_events(own[0], 130))
        artifacts.register(an_artifact(session_id=own[0].id))
        report = maintenance.erase_user("u1")
        assert (report.sessions_hard_deleted, report.events_removed, report.artifacts_removed) == (3, 130, 1)
        assert not report.erasure_pending
        for session in own:
            with pytest.raises(SessionNotFoundError):
                store.get_session(session.id)
        assert query.search_runs().items == []
        assert ids(query.search_sessions(include_deleted=True)) == [other.id]
        assert store.get_events(other.id) == [kept]
        assert maintenance.health_check() == []

    @pytest.mark.parametrize("user_id", ["ann", "a:b", "é" * 200, "%"])
    def test_records_of_an_erased_user_are_removed(self, backend: Backend, user_id: str) -> None:
        """Check `remove_records`: all namespaces of this user, in batches, expired records too."""
        state = backend.state_store
        for namespace in (user_namespace(user_id), user_namespace(user_id, "n"), user_namespace(user_id, "n", "m")):
            for number in range(120 if namespace == user_namespace(user_id, "n") else 1):
                state.put(namespace, str(number), number)
        state.put(user_namespace(user_id, "past"), "k", 1, expires_at=utc_now() - timedelta(days=1))
        kept = [
            f"user:{user_id}"[:100],
            user_namespace(user_id[:-1] + "c", "n"),
            user_namespace(user_id + "c", "n"),
            "n",
        ]
        for namespace in kept:
            state.put(namespace, "k", 1)
        report = backend.maintenance.erase_user(user_id)
        assert (report.records_removed, report.erasure_pending) == (123, False)
        assert state.list_namespaces().items == sorted(kept)

    def test_a_user_without_sessions_is_erased_already(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Check `erase_user` for a user of whom nothing is stored: sessions without a user stay."""
        session = store.save_session(a_session())
        assert maintenance.erase_user("u1").sessions_hard_deleted == 0
        assert ids(store.list_sessions()) == [session.id]
        with pytest.raises(ValidationError):
            maintenance.erase_user("")
