"""Transactions of the caller, which the ports join."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.making import an_event
from asm_contract_tests.rules.backend.transactions import A_MOMENT, UnitOfWorkContract, do_everything, seen, undone
from asm_contract_tests.together import PATIENCE
from asm_core import Backend, Session, SessionNotFoundError

if TYPE_CHECKING:
    from asm_contract_tests.contract import CallersTransaction


class JoinContract(UnitOfWorkContract):
    """Inside `bind`, the ports use the caller's transaction, and only the caller commits or rolls back."""

    @pytest.mark.requires("bind")
    @pytest.mark.guarantee("G16")
    def test_the_ports_commit_with_the_callers_transaction(
        self, backend: Backend, other_backend: Backend, stored: Session, callers_transaction: CallersTransaction
    ) -> None:
        """Check `bind`: calls inside use the caller's connection."""
        with callers_transaction() as connection, backend.bind(connection):
            do_everything(backend, stored)
            inside = seen(backend)
        assert seen(backend) == inside
        assert seen(other_backend) == inside

    @pytest.mark.requires("bind")
    @pytest.mark.guarantee("G16")
    def test_the_ports_roll_back_with_the_callers_transaction(
        self, backend: Backend, stored: Session, callers_transaction: CallersTransaction
    ) -> None:
        """Look for a port that commits the caller's transaction."""
        before = seen(backend)
        with undone(callers_transaction()) as connection, backend.bind(connection):
            do_everything(backend, stored)
        assert seen(backend) == before

    @pytest.mark.requires("bind")
    @pytest.mark.guarantee("G16")
    def test_a_call_that_fails_leaves_the_callers_transaction_usable(
        self, backend: Backend, stored: Session, callers_transaction: CallersTransaction
    ) -> None:
        """Check a failed call in the caller's transaction: it leaves no partial write."""
        store = backend.session_store
        with callers_transaction() as connection, backend.bind(connection):
            with pytest.raises(SessionNotFoundError):
                store.append_events([an_event(stored), an_event("ses_unknown")])
            event = store.append_event(an_event(stored))
        assert store.get_events(stored.id, after=1) == [event]

    @pytest.mark.requires("bind")
    @pytest.mark.guarantee("G16")
    def test_a_transaction_inside_the_callers_is_undone_alone(
        self, backend: Backend, stored: Session, callers_transaction: CallersTransaction
    ) -> None:
        """Check `transaction()` inside `bind`: a savepoint in the caller's transaction."""
        store = backend.session_store
        with callers_transaction() as connection, backend.bind(connection):
            with backend.transaction():
                first = store.append_event(an_event(stored))
            before = seen(backend)
            with undone(backend.transaction()):
                do_everything(backend, stored)
            assert seen(backend) == before
            second = store.append_event(an_event(stored))
        assert store.get_events(stored.id, after=1) == [first, second]

    @pytest.mark.requires("bind")
    @pytest.mark.guarantee("G16")
    def test_what_is_inside_the_callers_is_undone_with_it(
        self, backend: Backend, stored: Session, callers_transaction: CallersTransaction
    ) -> None:
        """Check `transaction()` inside `bind`: its end does not commit the caller's transaction."""
        before = seen(backend)
        with undone(callers_transaction()) as connection, backend.bind(connection), backend.transaction():
            do_everything(backend, stored)
        assert seen(backend) == before

    @pytest.mark.requires("bind")
    @pytest.mark.guarantee("G16")
    def test_another_thread_is_not_bound(
        self, backend: Backend, stored: Session, callers_transaction: CallersTransaction
    ) -> None:
        """Look for a binding that threads share: another thread must see the state before, or wait for the end."""
        with ThreadPoolExecutor(1) as pool:
            with undone(callers_transaction()) as connection, backend.bind(connection):
                backend.session_store.append_event(an_event(stored))
                looking = pool.submit(seen, backend)
                wait([looking], A_MOMENT)
            assert looking.result(PATIENCE) == seen(backend)
