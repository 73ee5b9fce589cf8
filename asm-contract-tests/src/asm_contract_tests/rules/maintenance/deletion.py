"""Soft-deleted sessions: what they refuse, what they keep, and how they come back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Event as Flag
from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import (
    a_run,
    a_session,
    an_event,
    as_saved,
    changed,
    days_ago,
    deleted,
    ids,
    numbers,
    soft_deleted,
    some_events,
)
from asm_contract_tests.together import PATIENCE, begun
from asm_core import (
    Backend,
    ExecutionResult,
    Maintenance,
    Session,
    SessionDeletedError,
    SessionNotFoundError,
    SessionStore,
)

ROUNDS = 10
"""How often a deletion is tried against a writer, times --soak."""

Write = Callable[[SessionStore, Session], Any]
WRITES: dict[str, Write] = {
    "append_event": lambda store, session: store.append_event(an_event(session)),
    "append_events": lambda store, session: store.append_events(some_events(session, 3)),
    "save_run": lambda store, session: store.save_run(a_run(session)),
    "flush": lambda store, session: store.flush(ExecutionResult(session, a_run(session), some_events(session, 2))),
    "flush of the session alone": lambda store, session: store.flush(ExecutionResult(session)),
    "flush of another session": lambda store, session: store.flush(
        ExecutionResult(a_session(), events=some_events(session, 2))
    ),
}
each_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


class SoftDeletedContract(Contract):
    """A soft-deleted session can be read, but not written; saving it again does not restore it."""

    @each_write
    @pytest.mark.guarantee("G8")
    def test_a_soft_deleted_session_refuses_what_is_written_to_it(
        self, store: SessionStore, maintenance: Maintenance, session: Session, write: Write
    ) -> None:
        """Check the counter and the session that a write locks: either carries the deletion."""
        write(store, session)
        before = (store.list_runs(session.id), store.get_events(session.id))
        maintenance.soft_delete_session(session.id)
        listed = store.list_sessions()
        with pytest.raises(SessionDeletedError) as caught:
            write(store, session)
        assert caught.value.details["session_id"] == session.id
        assert (store.list_runs(session.id), store.get_events(session.id)) == before
        assert store.list_sessions() == listed

    @pytest.mark.guarantee("G4")
    @pytest.mark.guarantee("G8")
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_batch_with_a_soft_deleted_session_stores_nothing(
        self, store: SessionStore, maintenance: Maintenance, place: int
    ) -> None:
        """Check an append to several sessions: all or nothing, whichever of them is deleted."""
        sessions = [store.save_session(a_session(id=f"ses_{letter}")) for letter in "abc"]
        maintenance.soft_delete_session(sessions[place].id)
        with pytest.raises(SessionDeletedError):
            store.append_events(an_event(session) for session in sessions)
        assert [store.get_latest_sequence(session.id) for session in sessions] == [0, 0, 0]

    @pytest.mark.parametrize(
        ("missing", "gone", "error"), [("a", "b", SessionNotFoundError), ("b", "a", SessionDeletedError)]
    )
    def test_of_several_refusals_the_first_session_names_the_error(
        self, store: SessionStore, missing: str, gone: str, error: type[Exception]
    ) -> None:
        """Check the order in which `_append` locks counters: by the ids of the sessions."""
        soft_deleted(store, a_session(id=gone))
        with pytest.raises(error):
            store.append_events([an_event("b"), an_event("a")])
        assert missing != gone

    def test_an_event_of_a_soft_deleted_session_is_not_repeated(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check what comes first in an append: the session, then the ids that are stored."""
        event = an_event(session)
        store.append_event(event)
        maintenance.soft_delete_session(session.id)
        for repeat in ([event], [event, an_event(session)]):
            with pytest.raises(SessionDeletedError):
                store.append_events(repeat)

    @pytest.mark.guarantee("G8")
    def test_saving_a_session_keeps_its_deletion(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check the columns that the upsert of `_save_session` sets: `deleted_at` is none of them."""
        gone = maintenance.soft_delete_session(session.id)
        for given in (session, changed(gone, deleted_at=days_ago(9))):
            saved = store.save_session(given.with_tags(["later"]))
            assert (saved.tags, saved.deleted_at) == (("later",), gone.deleted_at)
            assert store.get_session(session.id) == saved

    @pytest.mark.guarantee("G8")
    def test_saving_a_session_deletes_none(self, store: SessionStore, session: Session) -> None:
        """Check `save_session`: the time of deletion is maintenance's to set."""
        for given in (session, a_session()):
            assert store.save_session(deleted(given, days=3)) == as_saved(given, given.revision + 1)
            assert store.append_event(an_event(given)).sequence_number == 1

    @pytest.mark.guarantee("G8")
    def test_soft_deletion_marks_one_session(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `soft_delete_sessions`: `deleted_at` and nothing else, of this session and no other."""
        other = store.save_session(a_session())
        gone = maintenance.soft_delete_session(session.id)
        assert changed(gone, deleted_at=None) == session
        assert gone.deleted_at is not None
        assert store.get_session(session.id) == gone
        assert ids(store.list_sessions()) == [other.id]

    def test_a_repeated_soft_deletion_keeps_the_first_time(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check the condition in `soft_delete_sessions`: only what is not deleted yet."""
        gone = soft_deleted(store, session, days=5)
        assert maintenance.soft_delete_session(session.id) == gone
        assert store.get_session(session.id) == gone

    def test_an_undeleted_session_goes_on(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `undelete_session`: whatever refuses appends is cleared with `deleted_at`."""
        run = store.save_run(a_run(session))
        store.append_events(some_events(session, 2))
        maintenance.soft_delete_session(session.id)
        for _ in range(2):
            assert maintenance.undelete_session(session.id) == session
        assert store.list_sessions() == [session]
        assert numbers(store.append_events(some_events(session, 2))) == [3, 4]
        assert store.save_run(run) == as_saved(run, 2)

    def test_an_unknown_session_is_neither_deleted_nor_undeleted(self, maintenance: Maintenance) -> None:
        """Check both calls: an unknown session is SessionNotFoundError."""
        for call in (maintenance.soft_delete_session, maintenance.undelete_session):
            with pytest.raises(SessionNotFoundError):
                call("ses_unknown")

    def test_a_soft_deleted_session_takes_copies(self, store: SessionStore, session: Session) -> None:
        """Check `_restore`: a copy is no append, and the deletion stays."""
        gone = soft_deleted(store, session, days=1)
        assert store.restore_session(session, [a_run(session)], [an_event(session).numbered(4)]) == 1
        assert store.get_session(session.id) == gone
        with pytest.raises(SessionDeletedError):
            store.append_event(an_event(session))

    def test_a_restored_deletion_refuses_what_is_written(self, store: SessionStore) -> None:
        """Check `_restore`: what refuses appends is copied with `deleted_at`, and cleared with it."""
        session = a_session()
        soft_deleted(store, session)
        with pytest.raises(SessionDeletedError):
            store.append_event(an_event(session))
        store.restore_session(session, replace=True)
        assert store.append_event(an_event(session)).sequence_number == 1

    @pytest.mark.guarantee("G8")
    def test_nothing_is_appended_once_a_soft_deletion_has_returned(
        self, store: SessionStore, other_backend: Backend, soak: int
    ) -> None:
        """Look for a deletion that is looked up before the counter is locked: it may be committed in between."""
        for _ in range(ROUNDS * soak):
            session, began, stop = store.save_session(a_session()), Flag(), Flag()
            with begun(partial(append_until, store, session, began, stop)) as appended:
                assert began.wait(PATIENCE)
                other_backend.maintenance.soft_delete_session(session.id)
                last = store.get_latest_sequence(session.id)
                stop.set()
                assert appended.result(PATIENCE) == last
            assert store.get_latest_sequence(session.id) == last

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G6")
    def test_a_transaction_finds_its_own_soft_deletion(
        self, backend: Backend, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check an append inside a transaction: it finds what was deleted and undeleted there, not yet committed."""
        with backend.transaction():
            maintenance.soft_delete_session(session.id)
            with pytest.raises(SessionDeletedError):
                store.append_event(an_event(session))
            maintenance.undelete_session(session.id)
            assert store.append_event(an_event(session)).sequence_number == 1
        assert store.get_latest_sequence(session.id) == 1

    @each_write
    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G8")
    def test_a_write_that_waits_for_a_soft_deletion_is_refused(
        self, store: SessionStore, other_backend: Backend, session: Session, write: Write
    ) -> None:
        """Check a write that waited for the lock: it must find the deletion that was committed during the wait."""
        began = Flag()

        def late() -> Any:
            began.set()
            return write(store, session)

        with ThreadPoolExecutor(1) as pool:
            with other_backend.transaction():
                other_backend.maintenance.soft_delete_session(session.id)
                written = pool.submit(late)
                assert began.wait(PATIENCE)
            with pytest.raises(SessionDeletedError):
                written.result(PATIENCE)
        assert (store.list_runs(session.id), store.get_events(session.id)) == ([], [])


def append_until(store: SessionStore, session: Session, began: Flag, stop: Flag) -> int | None:
    """Append until the session refuses, or `stop` is set; return the last number."""
    last = None
    with suppress(SessionDeletedError):
        while not stop.is_set():
            last = store.append_event(an_event(session)).sequence_number
            began.set()
    return last
