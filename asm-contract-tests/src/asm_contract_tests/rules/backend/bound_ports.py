"""The ports that a transaction yields: bound to it, in any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.making import an_event
from asm_contract_tests.rules.backend.transactions import UnitOfWorkContract, do_everything, seen, undone
from asm_contract_tests.together import PATIENCE
from asm_core import Backend, Session, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_contract_tests.contract import CallersTransaction


def accidents(calls: list[Callable[[], object]]) -> list[str]:
    """Make calls, each of which must raise `StorageError`; return the others."""
    others = []
    for call in calls:
        try:
            call()
        except StorageError:
            continue
        others.append(repr(call))
    return others


class BoundPortsContract(UnitOfWorkContract):
    """`transaction` and `bind` yield the ports of one transaction, whatever thread or task uses them."""

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_the_yielded_ports_are_in_the_transaction(self, backend: Backend, stored: Session) -> None:
        """Check what `transaction` yields: its four ports write and read in the transaction."""
        before = seen(backend)
        with undone(backend.transaction()) as ports:
            do_everything(ports, stored)
            assert seen(ports) != before
        assert seen(backend) == before
        with backend.transaction() as ports:
            do_everything(ports, stored)
            inside = seen(ports)
        assert seen(backend) == inside

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_the_ports_of_a_nested_transaction_are_undone_alone(self, backend: Backend, stored: Session) -> None:
        """Check `transaction` of the yielded ports: it is nested."""
        with backend.transaction() as ports:
            first = ports.session_store.append_event(an_event(stored))
            with undone(ports.transaction()) as inner:
                inner.session_store.append_event(an_event(stored))
            with ports.transaction() as inner:
                second = inner.session_store.append_event(an_event(stored))
        assert backend.session_store.get_events(stored.id, after=1) == [first, second]

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_ports_of_a_transaction_that_ended_raise(self, backend: Backend, stored: Session) -> None:
        """Look for ports that outlive their transaction, and write outside of it."""
        with backend.transaction() as kept:
            pass
        with undone(backend.transaction()) as lost:
            pass
        for ports in (kept, lost):
            store = ports.session_store
            calls: list[Callable[[], object]] = [
                lambda store=store: store.append_event(an_event(stored)),  # type: ignore[misc]
                lambda store=store: store.get_session(stored.id),  # type: ignore[misc]
                lambda ports=ports: ports.transaction().__enter__(),  # type: ignore[misc]
            ]
            assert accidents(calls) == []
        assert backend.session_store.get_latest_sequence(stored.id) == 1

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    @pytest.mark.parametrize("ending", ["kept", "undone"])
    def test_the_ports_may_move_to_another_thread(self, backend: Backend, stored: Session, ending: str) -> None:
        """Check a call in another thread, which web frameworks make: it is in the transaction, or raises.

        A connector whose ORM keeps a connection for each thread raises StorageError there.
        """
        moved = False
        transaction = backend.transaction() if ending == "kept" else undone(backend.transaction())
        with ThreadPoolExecutor(1) as pool, transaction as ports:
            ports.session_store.append_event(an_event(stored))
            with suppress(StorageError):
                pool.submit(ports.session_store.append_event, an_event(stored)).result(PATIENCE)
                moved = True
        expected = 1 if ending == "undone" else 3 if moved else 2
        assert backend.session_store.get_latest_sequence(stored.id) == expected

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_a_context_that_inherited_a_transaction_does_not_join_it(self, backend: Backend, stored: Session) -> None:
        """Check a call in the context of `asyncio.to_thread`: it raises at once, and does not wait."""
        store = backend.session_store
        with ThreadPoolExecutor(1) as pool, undone(backend.transaction()):
            for call in (lambda: store.append_event(an_event(stored)), lambda: store.get_session(stored.id)):
                failed = pool.submit(copy_context().run, call).exception(PATIENCE)
                assert isinstance(failed, StorageError)

    @pytest.mark.requires("bind")
    @pytest.mark.guarantee("G16")
    def test_bound_ports_are_in_the_callers_transaction(
        self, backend: Backend, stored: Session, callers_transaction: CallersTransaction
    ) -> None:
        """Check what `bind` yields: its four ports write and read in the caller's transaction."""
        before = seen(backend)
        with undone(callers_transaction()) as connection, backend.bind(connection) as ports:
            do_everything(ports, stored)
            assert seen(ports) != before
        assert seen(backend) == before
        with callers_transaction() as connection, backend.bind(connection) as ports:
            do_everything(ports, stored)
            inside = seen(ports)
        assert seen(backend) == inside
