"""Saving and reading of sessions."""

from __future__ import annotations

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import (
    a_run,
    a_session,
    as_saved,
    full_session,
    ids,
    numbers,
    soft_deleted,
    some_events,
)
from asm_core import SessionNotFoundError, SessionStore


class SessionsContract(Contract):
    """Sessions are saved as a whole and read back as they were."""

    @pytest.mark.guarantee("G9")
    def test_a_session_comes_back_equal(self, store: SessionStore) -> None:
        """Check how `_save_session` writes each field, and at how `load_session` reads it."""
        session = full_session()
        store.save_session(session)
        assert store.get_session(session.id) == as_saved(session)

    def test_saving_a_session_returns_what_is_stored(self, store: SessionStore) -> None:
        """Check `save_session`: an adapter need not override it."""
        session = full_session()
        assert store.save_session(session) == as_saved(session)

    @pytest.mark.guarantee("G8")
    def test_saving_a_session_twice_stores_one(self, store: SessionStore) -> None:
        """Check `_save_session`: the second time it must update."""
        session = a_session()
        store.save_session(session)
        store.save_session(session)
        assert store.list_sessions() == [as_saved(session, 2)]

    @pytest.mark.guarantee("G8")
    def test_saving_a_session_again_replaces_all_but_the_id(self, store: SessionStore) -> None:
        """Check the columns that the upsert of `_save_session` sets: each but the id must be among them."""
        store.save_session(a_session(id="ses_full", agent_id="another"))
        store.save_session(full_session())
        assert store.get_session("ses_full") == as_saved(full_session(), 2)

    @pytest.mark.guarantee("G8")
    def test_saving_a_session_again_can_empty_its_fields(self, store: SessionStore) -> None:
        """Look for an update in `_save_session` that leaves out what is None or empty."""
        store.save_session(full_session())
        bare = a_session(id="ses_full")
        store.save_session(bare)
        assert store.get_session("ses_full") == as_saved(bare, 2)

    @pytest.mark.guarantee("G8")
    def test_saving_a_session_again_keeps_its_runs_events_and_numbers(self, store: SessionStore) -> None:
        """Look for an upsert that deletes and inserts: a cascade then takes what belongs to the session."""
        session = store.save_session(a_session())
        run = store.save_run(a_run(session))
        events = store.append_events(some_events(session, 2))
        store.save_session(session.with_metadata({"changed": True}))
        assert store.list_runs(session.id) == [run]
        assert store.get_events(session.id) == events
        assert numbers(store.append_events(some_events(session, 1))) == [3]

    def test_saving_one_session_changes_no_other(self, store: SessionStore) -> None:
        """Check the condition of the update in `_save_session`."""
        other = store.save_session(a_session(id="ses_other"))
        store.save_session(a_session(id="ses_one", agent_id="another"))
        assert store.get_session("ses_other") == other

    @pytest.mark.guarantee("G7")
    def test_an_unknown_session_is_not_found(self, store: SessionStore) -> None:
        """Check `load_session`: it returns None where there is nothing."""
        with pytest.raises(SessionNotFoundError) as caught:
            store.get_session("ses_unknown")
        assert caught.value.details == {"session_id": "ses_unknown"}

    def test_a_soft_deleted_session_is_still_read(self, store: SessionStore) -> None:
        """Check `load_session`: it must not filter by `deleted_at`."""
        session = soft_deleted(store, a_session(), days=1)
        assert store.get_session(session.id) == session

    def test_a_parent_need_not_be_stored(self, store: SessionStore) -> None:
        """Look for a foreign key on `parent_session_id`: parents may be gone."""
        child = store.save_session(a_session(parent_session_id="ses_gone"))
        assert store.get_session(child.id).parent_session_id == "ses_gone"

    @pytest.mark.guarantee("G9")
    def test_changing_a_payload_later_changes_nothing_stored(self, store: SessionStore) -> None:
        """Look for a store that keeps or returns the caller's own dict."""
        session = a_session(metadata={"list": [1]})
        store.save_session(session)
        session.metadata["list"].append(2)
        store.get_session(session.id).metadata["list"].append(3)
        assert store.get_session(session.id).metadata == {"list": [1]}
        assert ids(store.list_sessions()) == [session.id]
