"""What a health check finds in logs that contradict themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event

if TYPE_CHECKING:
    from asm_core import Maintenance, Session, SessionStore

RUN_ENDS = ("run_completed", "run_failed", "run_cancelled", "run_timeout")
SESSION_ENDS = ("session_completed", "session_failed", "session_cancelled")


class HealthContract(Contract):
    """`health_check` names what should not be, and nothing else."""

    def test_sessions_and_runs_that_end_once_are_healthy(self, store: SessionStore, maintenance: Maintenance) -> None:
        """Look for a question that takes two runs of one session, or two sessions, for one."""
        for letter in "abc":
            session = store.save_session(a_session(id=f"ses_{letter}"))
            for place, kind in enumerate(RUN_ENDS):
                run = store.save_run(a_run(session, id=f"run_{letter}{place}"))
                store.append_event(an_event(session, type=kind, run_id=run.id))
            for kind in SESSION_ENDS:
                store.append_events([an_event(session, type=kind), an_event(session, type="session_resumed")])
        assert maintenance.health_check() == []

    @pytest.mark.parametrize("second", RUN_ENDS)
    def test_a_run_with_two_ends_is_found(
        self, store: SessionStore, maintenance: Maintenance, session: Session, second: str
    ) -> None:
        """Check `check_integrity`: a log has one terminal event of each run."""
        store.append_event(an_event(session, type="run_cancelled", run_id="run_twice"))
        store.append_event(an_event(session, type=second, run_id="run_twice"))
        (fault,) = maintenance.health_check()
        assert "run_twice" in fault

    @pytest.mark.parametrize("second", SESSION_ENDS)
    def test_a_session_with_two_ends_is_found(
        self, store: SessionStore, maintenance: Maintenance, session: Session, second: str
    ) -> None:
        """Check `check_integrity`: a session that has ended is resumed before it ends again."""
        for kind in ("session_failed", "message_sent", second):
            store.append_event(an_event(session, type=kind))
        (fault,) = maintenance.health_check()
        assert session.id in fault

    def test_events_of_a_run_in_another_session_are_found(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `check_integrity`: the session of an event is that of its run, where the run is stored."""
        run = store.save_run(a_run(session))
        other = store.save_session(a_session())
        store.append_event(an_event(session, run_id=run.id))
        assert maintenance.health_check() == []
        store.append_event(an_event(other, run_id=run.id))
        (fault,) = maintenance.health_check()
        assert all(name in fault for name in (run.id, session.id, other.id))
