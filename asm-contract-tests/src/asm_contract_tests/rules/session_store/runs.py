"""Runs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, as_saved, changed, full_run
from asm_core import (
    AlreadyExistsError,
    ExecutionResult,
    InvalidTransitionError,
    Run,
    RunNotFoundError,
    RunStatus,
    Session,
    SessionNotFoundError,
    SessionStore,
    TokenUsage,
)
from asm_core.models import TERMINAL_RUN_STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable


SAVES: Final[dict[str, Callable[[SessionStore, Run], object]]] = {
    "save_run": lambda store, run: store.save_run(run),
    "flush": lambda store, run: store.flush(
        ExecutionResult(store.get_session(run.session_id), run, [an_event(run.session_id)] if run.output else [])
    ),
}
"""The ways to save a run; a flush also appends an event if the run has an output."""


class RunsContract(Contract):
    """Runs are saved as a whole, read back as they were, and listed by session."""

    @pytest.mark.guarantee("G9")
    def test_a_run_comes_back_equal(self, store: SessionStore, session: Session) -> None:
        """Check how `_save_run` writes each field, and at how `load_run` reads it."""
        run = full_run(session)
        assert store.save_run(run) == as_saved(run)
        assert store.get_run(run.id) == as_saved(run)

    @pytest.mark.guarantee("G9")
    def test_token_counts_come_back_as_token_usage(self, store: SessionStore, session: Session) -> None:
        """Check how `load_run` builds `token_usage`: `TokenUsage`, whose total is derived after each addition."""
        used = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
        run = store.save_run(a_run(session, token_usage=used))
        store.save_run(store.get_run(run.id).add_token_usage({"input_tokens": 5, "output_tokens": 1}))
        usage = store.get_run(run.id).token_usage
        assert (type(usage), usage, usage.total_tokens) == (TokenUsage, {"input_tokens": 10, "output_tokens": 3}, 13)

    @pytest.mark.guarantee("G9")
    def test_what_a_run_lacks_stays_lacking(self, store: SessionStore, session: Session) -> None:
        """Look for None that comes back as an empty payload, and the reverse."""
        for run in (a_run(session), changed(a_run(session), input={}, output={}, error={})):
            store.save_run(run)
            assert store.get_run(run.id) == as_saved(run)

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize("cost", ["0", "0.1", "1234567890.123456789", "9223372036.854775807", "0.000000001"])
    def test_money_is_exact(self, store: SessionStore, session: Session, cost: str) -> None:
        """Look for a float on the way of `cost_usd`."""
        run = store.save_run(a_run(session, cost_usd=Decimal(cost)))
        assert store.get_run(run.id).cost_usd == Decimal(cost)

    @pytest.mark.guarantee("G8")
    def test_saving_a_run_again_replaces_all_but_the_id(self, store: SessionStore, session: Session) -> None:
        """Check the columns that the upsert of `_save_run` sets: each but the id must be among them."""
        bare = a_run(session, id="run_full", status="running")
        store.save_run(bare)
        store.save_run(full_run(session))
        assert store.get_run("run_full") == as_saved(full_run(session), 2)

    @pytest.mark.guarantee("G8")
    def test_saving_a_run_again_can_empty_its_fields(self, store: SessionStore, session: Session) -> None:
        """Look for an update in `_save_run` that leaves out what is None or empty."""
        store.save_run(full_run(session))
        bare = a_run(session, id="run_full", status="failed")
        store.save_run(bare)
        assert store.get_run("run_full") == as_saved(bare, 2)

    @pytest.mark.guarantee("G8")
    @pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
    def test_a_run_never_moves_to_another_session(
        self, store: SessionStore, session: Session, save: Callable[[SessionStore, Run], object]
    ) -> None:
        """Check the condition of the upsert in `_save_run`: a run of another session has the id."""
        run = store.save_run(full_run(session))
        other = store.save_session(a_session())
        with pytest.raises(AlreadyExistsError, match=session.id):
            save(store, a_run(other, id=run.id, status="failed"))
        assert store.get_run(run.id) == run
        assert store.list_runs(other.id) == []

    @pytest.mark.guarantee("G8")
    @pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
    @pytest.mark.parametrize("ended", sorted(TERMINAL_RUN_STATUSES))
    def test_a_run_that_has_ended_keeps_its_status(
        self, store: SessionStore, session: Session, ended: RunStatus, save: Callable[[SessionStore, Run], object]
    ) -> None:
        """Check the condition of the upsert in `_save_run`: it is no other status than the one that is final."""
        run = store.save_run(a_run(session, status=ended))
        for status in sorted(set(RunStatus) - {ended}):
            with pytest.raises(InvalidTransitionError, match=run.id):
                save(store, changed(run, status=status, output={"late": True}))
        assert store.get_run(run.id) == run
        assert store.get_events(session.id) == []

    @pytest.mark.guarantee("G8")
    @pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
    def test_a_run_that_has_ended_is_saved_again_with_its_status(
        self, store: SessionStore, session: Session, save: Callable[[SessionStore, Run], object]
    ) -> None:
        """Check the condition of the upsert in `_save_run`: a repeat passes, and so does what else has changed."""
        run = store.save_run(a_run(session, status="completed"))
        save(store, run)
        save(store, changed(run, metadata={"reviewed": True}))
        assert store.get_run(run.id).metadata == {"reviewed": True}

    @pytest.mark.guarantee("G8")
    def test_saving_a_run_twice_stores_one(self, store: SessionStore, session: Session) -> None:
        """Check `_save_run`: the second time it must update."""
        run = store.save_run(full_run(session))
        again = store.save_run(run)
        assert again.revision == 2
        assert store.list_runs(session.id) == [again]

    @pytest.mark.guarantee("G7")
    def test_an_unknown_run_is_not_found(self, store: SessionStore) -> None:
        """Check `load_run`: it returns None where there is nothing."""
        with pytest.raises(RunNotFoundError) as caught:
            store.get_run("run_unknown")
        assert caught.value.details == {"run_id": "run_unknown"}

    @pytest.mark.guarantee("G7")
    def test_a_run_of_an_unknown_session_is_not_saved(self, store: SessionStore) -> None:
        """Check `_save_run`: a missing session is SessionNotFoundError, not an error of the driver."""
        run = a_run("ses_unknown")
        with pytest.raises(SessionNotFoundError):
            store.save_run(run)
        with pytest.raises(RunNotFoundError):
            store.get_run(run.id)

    @pytest.mark.guarantee("G7")
    def test_a_run_cannot_move_to_an_unknown_session(self, store: SessionStore, session: Session) -> None:
        """Check `_save_run`: its update needs the session as much as its insert."""
        run = store.save_run(a_run(session))
        with pytest.raises(SessionNotFoundError):
            store.save_run(changed(run, session_id="ses_unknown"))
        assert store.get_run(run.id) == run
