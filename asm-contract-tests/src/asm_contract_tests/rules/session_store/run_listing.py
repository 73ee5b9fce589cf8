"""Runs of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, at, ids
from asm_core import RunStatus, SessionNotFoundError

if TYPE_CHECKING:
    from asm_core import Session, SessionStore


class ListRunsContract(Contract):
    """`list_runs` gives the runs of a session, oldest first; `get_active_run` its newest one that is running."""

    @pytest.fixture
    def four(self, store: SessionStore, session: Session) -> list[str]:
        """Store four runs, the middle two equally old, and another session's; return the four ids, oldest first."""
        for name, second, status in [
            ("c", 1, "running"),
            ("a", 2, "completed"),
            ("b", 1, "running"),
            ("d", 0, "failed"),
        ]:
            store.save_run(a_run(session, id=name, started_at=at(second), status=status))
        store.save_run(a_run(store.save_session(a_session()), id="z", started_at=at(9), status="running"))
        return ["d", "b", "c", "a"]

    def test_runs_are_listed_oldest_first(self, store: SessionStore, session: Session, four: list[str]) -> None:
        """Check the order of `find_runs`: `started_at`, then the id."""
        assert ids(store.list_runs(session.id)) == four

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("running", ["b", "c"]),
            (RunStatus.FAILED, ["d"]),
            (["failed", "completed"], ["d", "a"]),
            ("timeout", []),
            ([], []),
        ],
    )
    @pytest.mark.usefixtures("four")
    def test_runs_are_listed_by_status(
        self, store: SessionStore, session: Session, status: Any, expected: list[str]
    ) -> None:
        """Check how `find_runs` applies `statuses`: any of them, none for an empty choice."""
        assert ids(store.list_runs(session.id, status=status)) == expected

    @pytest.mark.parametrize("limit", [1, 3, 4, 5])
    def test_a_limit_cuts_the_list_of_runs(
        self, store: SessionStore, session: Session, four: list[str], limit: int
    ) -> None:
        """Check how `find_runs` applies `limit`."""
        assert ids(store.list_runs(session.id, limit=limit)) == four[:limit]

    def test_a_session_without_runs_lists_none(self, store: SessionStore, session: Session) -> None:
        """Check `list_runs`: an existing session without runs is no error."""
        assert store.list_runs(session.id) == []
        assert store.get_active_run(session.id) is None

    @pytest.mark.guarantee("G7")
    @pytest.mark.parametrize("arguments", [{}, {"status": "running"}, {"status": []}, {"limit": 1}])
    def test_runs_of_an_unknown_session_are_not_listed(self, store: SessionStore, arguments: dict[str, Any]) -> None:
        """Check `list_runs`: an unknown session is SessionNotFoundError, whatever the filters say."""
        with pytest.raises(SessionNotFoundError):
            store.list_runs("ses_unknown", **arguments)

    @pytest.mark.usefixtures("four")
    def test_the_active_run_is_the_newest_that_is_running(self, store: SessionStore, session: Session) -> None:
        """Check the order in `get_active_run`: of two that began at once it is the one with the greater id."""
        active = store.get_active_run(session.id)
        assert active is not None
        assert active.id == "c"

    @pytest.mark.guarantee("G6")
    def test_a_run_that_ended_is_no_longer_active(self, store: SessionStore, session: Session) -> None:
        """Check the status that `get_active_run` filters by."""
        run = store.save_run(a_run(session, status="running"))
        assert store.get_active_run(session.id) == run
        store.save_run(run.with_status("completed"))
        assert store.get_active_run(session.id) is None

    @pytest.mark.guarantee("G7")
    def test_an_unknown_session_has_no_active_run(self, store: SessionStore) -> None:
        """Check `get_active_run`: an unknown session is SessionNotFoundError, not None."""
        with pytest.raises(SessionNotFoundError):
            store.get_active_run("ses_unknown")
