"""Revisions: a save can expect that no other writer has saved since, so that no update is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, as_saved, some_events
from asm_contract_tests.together import in_processes, in_threads
from asm_core import (
    Capability,
    ExecutionResult,
    RevisionConflictError,
    Session,
    SessionNotFoundError,
    SessionStore,
    ValidationError,
)

if TYPE_CHECKING:
    from asm_contract_tests.contract import OpenBackend
    from asm_core import Backend, Run

WRITERS = 10
KEYS = 10


def add_keys(store: SessionStore, session_id: str, writer: int) -> None:
    """Add keys to the metadata of a session, one at a time."""
    for place in range(KEYS):
        store.update_session(session_id, lambda read, key=f"{writer}/{place}": read.with_metadata({key: writer}))  # type: ignore[misc]


ALL_KEYS = {f"{writer}/{place}": writer for writer in range(WRITERS) for place in range(KEYS)}


class RevisionContract(Contract):
    """Sessions and runs count their saves; a save, a flush and an update lose none of another writer."""

    @pytest.mark.guarantee("G8")
    def test_each_save_raises_the_revision(self, store: SessionStore, session: Session) -> None:
        """Check `_save_session` and `_save_run`: the stored revision counts, not the one of the argument."""
        assert session.revision == 1
        run = store.save_run(a_run(session))
        for revision in (2, 3):
            assert store.save_session(as_saved(session, 7)).revision == revision
            assert store.save_run(as_saved(run, 7)).revision == revision
        assert store.get_session(session.id).revision == store.get_run(run.id).revision == 3
        assert [one.revision for one in store.list_sessions()] == [3]
        assert [one.revision for one in store.list_runs(session.id)] == [3]

    @pytest.mark.guarantee("G8")
    def test_an_expected_revision_is_saved(self, store: SessionStore) -> None:
        """Check `_save_session` and `_save_run` with 0, which creates, and with the stored revision."""
        session = store.save_session(a_session(), expected_revision=0)
        session = store.save_session(session.with_tags(["a"]), expected_revision=1)
        run = store.save_run(a_run(session), expected_revision=0)
        run = store.save_run(run.with_status("running"), expected_revision=1)
        assert (session.revision, run.revision) == (2, 2)
        assert store.get_session(session.id) == session
        assert store.get_run(run.id) == run
        assert store.append_event(an_event(session)).sequence_number == 1

    @pytest.mark.guarantee("G8")
    def test_a_stale_save_is_refused(self, store: SessionStore, session: Session) -> None:
        """Check the condition of the update in `_save_session`."""
        newer = store.save_session(session.with_tags(["first"]), expected_revision=1)
        with pytest.raises(RevisionConflictError, match="revision 2, not 1") as caught:
            store.save_session(session.with_tags(["second"]), expected_revision=1)
        assert caught.value.details == {"kind": "session", "id": session.id, "expected_revision": 1, "revision": 2}
        assert not caught.value.retryable
        assert store.get_session(session.id) == newer

    @pytest.mark.guarantee("G8")
    def test_a_stale_save_of_a_run_is_refused(self, store: SessionStore, session: Session) -> None:
        """Check the condition of the update in `_save_run`, before that of the status."""
        run = store.save_run(a_run(session, status="running"))
        ended = store.save_run(run.with_status("completed"), expected_revision=1)
        for stale in (run.with_status("failed"), run.next_turn()):
            with pytest.raises(RevisionConflictError, match="revision 2, not 1"):
                store.save_run(stale, expected_revision=1)
        assert store.get_run(run.id) == ended

    @pytest.mark.guarantee("G8")
    def test_revision_zero_only_creates(self, store: SessionStore, session: Session) -> None:
        """Check `_save_session` and `_save_run` with 0: a stored record conflicts."""
        run = store.save_run(a_run(session))
        with pytest.raises(RevisionConflictError, match="only creates"):
            store.save_session(session.with_tags(["a"]), expected_revision=0)
        with pytest.raises(RevisionConflictError, match="only creates"):
            store.save_run(run.next_turn(), expected_revision=0)
        assert (store.get_session(session.id), store.get_run(run.id)) == (session, run)

    @pytest.mark.guarantee("G8")
    def test_a_missing_session_is_not_created_by_a_later_revision(self, store: SessionStore, session: Session) -> None:
        """Check `_save_session` and `_save_run`: a revision above 0 updates, and never inserts."""
        new, run = a_session(), a_run(session)
        with pytest.raises(RevisionConflictError, match="not stored"):
            store.save_session(new, expected_revision=1)
        with pytest.raises(RevisionConflictError, match="not stored"):
            store.save_run(run, expected_revision=1)
        assert store.list_sessions() == [session]
        assert store.list_runs(session.id) == []

    @pytest.mark.guarantee("G8")
    def test_a_repeated_save_succeeds(self, store: SessionStore, session: Session) -> None:
        """Check what follows a lost reply: the same content under the next revision is one's own save."""
        tagged, run = session.with_tags(["a"]), a_run(session)
        for _ in range(2):
            assert store.save_session(tagged, expected_revision=1) == as_saved(tagged, 2)
            assert store.save_run(run, expected_revision=0) == as_saved(run)

    @pytest.mark.guarantee("G8")
    @pytest.mark.parametrize("metadata", [{"n": 1.0}, {"n": True}, {"n": 1, "m": 2}])
    def test_another_change_is_no_repeat(self, store: SessionStore, session: Session, metadata: dict[str, Any]) -> None:
        """Look for a comparison in which 1, 1.0 and True are one value."""
        store.save_session(session.with_metadata({"n": 1}), expected_revision=1)
        other = as_saved(session.with_metadata(metadata), 1)
        with pytest.raises(RevisionConflictError):
            store.save_session(other, expected_revision=1)

    @pytest.mark.guarantee("G5")
    @pytest.mark.guarantee("G8")
    @pytest.mark.parametrize("stale", ["session", "run"])
    def test_a_stale_flush_stores_nothing(self, store: SessionStore, session: Session, stale: str) -> None:
        """Check `_flush`: it expects the revision of the session and that of the run, each by itself."""
        run = store.save_run(a_run(session))
        expected = {"expected_session_revision": 1, "expected_run_revision": 1, f"expected_{stale}_revision": 5}
        result = ExecutionResult(session.with_tags(["a"]), run.next_turn(), [an_event(session)], **expected)  # type: ignore[arg-type]
        with pytest.raises(RevisionConflictError) as caught:
            store.flush(result)
        assert caught.value.details["kind"] == stale
        assert (store.get_session(session.id), store.get_run(run.id)) == (session, run)
        assert store.get_events(session.id) == []

    @pytest.mark.guarantee("G5")
    @pytest.mark.guarantee("G8")
    def test_a_repeated_flush_succeeds(self, store: SessionStore, session: Session) -> None:
        """Check what follows a lost reply of a flush: it returns the stored events, and stores nothing again."""
        run, tagged = a_run(session), session.with_tags(["a"])
        events = some_events(session, 2)
        result = ExecutionResult(tagged, run, events, expected_session_revision=1, expected_run_revision=0)
        stored = store.flush(result)
        assert store.flush(result) == stored
        assert store.get_session(session.id) == as_saved(tagged, 2)
        assert store.get_run(run.id) == as_saved(run)
        other = ExecutionResult(tagged, run, some_events(session, 1), expected_session_revision=1)
        with pytest.raises(RevisionConflictError):
            store.flush(other)

    @pytest.mark.guarantee("G8")
    def test_an_update_changes_what_is_stored(self, store: SessionStore, session: Session) -> None:
        """Check `update_session` and `update_run`, and that they pass errors on."""
        updated = store.update_session(session.id, lambda read: read.with_metadata({"a": 1}))
        assert (updated.metadata, updated.revision) == ({"a": 1}, 2)
        assert store.get_session(session.id) == updated
        run = store.save_run(a_run(session))
        assert store.update_run(run.id, lambda read: read.next_turn()) == as_saved(run.next_turn(), 2)
        with pytest.raises(SessionNotFoundError):
            store.update_session("ses_unknown", lambda read: read)
        with pytest.raises(ZeroDivisionError):
            store.update_session(session.id, lambda _: 1 // 0)  # type: ignore[arg-type, return-value]
        with pytest.raises(ValidationError, match="same record"):
            store.update_session(session.id, lambda _: a_session())

    @pytest.mark.guarantee("G8")
    def test_an_update_meets_another_save(self, store: SessionStore, session: Session) -> None:
        """Check that an update which comes too late reads again."""
        seen = []

        def change(read: Session) -> Session:
            seen.append(read.revision)
            if len(seen) == 1:
                store.save_session(read.with_tags(["meanwhile"]))
            return read.with_metadata({"a": 1})

        updated = store.update_session(session.id, change)
        assert (updated.tags, updated.metadata, seen) == (("meanwhile",), {"a": 1}, [1, 2])

    @pytest.mark.guarantee("G8")
    def test_equal_changes_are_no_repeats_of_each_other(self, store: SessionStore, session: Session) -> None:
        """Check `_save_run`: an update whose content another writer has just stored is made again, after that one."""
        run = store.save_run(a_run(session))
        seen = []

        def change(read: Run) -> Run:
            seen.append(read.revision)
            if len(seen) == 1:
                store.update_run(run.id, lambda same: same.next_turn())
            return read.next_turn()

        assert store.update_run(run.id, change).turn_count == 2

    @pytest.mark.guarantee("G8")
    def test_updates_of_many_threads_are_all_kept(
        self, backend: Backend, other_backend: Backend, session: Session
    ) -> None:
        """Check ten threads that each add ten keys: none overwrites those of another."""
        stores = [backend.session_store, other_backend.session_store]
        in_threads(*(partial(add_keys, stores[n % 2], session.id, n) for n in range(WRITERS)))
        assert stores[0].get_session(session.id).metadata == ALL_KEYS

    @pytest.mark.guarantee("G8")
    def test_one_of_many_savers_of_a_revision_wins(
        self, backend: Backend, other_backend: Backend, session: Session
    ) -> None:
        """Check eight threads that save different content over one revision."""
        stores = [backend.session_store, other_backend.session_store]

        def save(store: SessionStore, place: int) -> bool:
            try:
                store.save_session(session.with_tags([f"t{place}"]), expected_revision=1)
            except RevisionConflictError:
                return False
            return True

        won = in_threads(*(partial(save, stores[n % 2], n) for n in range(8)))
        assert sorted(won) == [False] * 7 + [True]
        assert stores[0].get_session(session.id).tags == (f"t{won.index(True)}",)

    @pytest.mark.guarantee("G8")
    @pytest.mark.requires(Capability.MULTI_PROCESS)
    def test_updates_of_many_processes_are_all_kept(
        self, open_backend: OpenBackend, store: SessionStore, session: Session
    ) -> None:
        """Check ten processes that each add ten keys."""
        in_processes(
            open_backend,
            *(lambda backend, n=n: add_keys(backend.session_store, session.id, n) for n in range(WRITERS)),
        )
        assert store.get_session(session.id).metadata == ALL_KEYS
