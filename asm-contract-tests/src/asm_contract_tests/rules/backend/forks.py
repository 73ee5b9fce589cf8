"""Processes forked while their parent uses the store, with and without the inherited handle."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract, OpenBackend
from asm_contract_tests.making import a_session, an_event, ids, numbers, some_events
from asm_contract_tests.together import PATIENCE, begun, children, need_fork

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core import Backend

FORKS = 4
LARGE = "x" * 2000
"""The size of an event; many of these exceed the caches of a database."""


def append_one(backend: Backend, _say: Callable[[Any], None], *, name: str) -> int:
    """Append an event, and return its number."""
    return backend.session_store.append_event(an_event(name)).sequence_number


def do_nothing(_backend: Backend, _say: Callable[[Any], None]) -> None:
    """Do not use the handle until it is closed."""


def append_until(ended: threading.Event, backend: Backend, name: str) -> int:
    """Append events one by one until `ended` is set, and return their number."""
    count = 0
    while not ended.is_set():
        backend.session_store.append_event(an_event(name))
        count += 1
    return count


def hold(began: threading.Event, may_end: threading.Event, backend: Backend, name: str) -> None:
    """Append events in one transaction, which stays open until `may_end` is set."""
    with backend.transaction():
        backend.session_store.append_events(some_events(name, 3))
        began.set()
        assert may_end.wait(PATIENCE)
        backend.session_store.append_events(some_events(name, 3))


class ForksContract(Contract):
    """A fork does not damage the parent's data, and the child can use the store (G12)."""

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G12")
    def test_a_child_uses_the_handle_that_it_inherited(self, backend: Backend, soak: int) -> None:
        """Check locks and connections: a thread of the parent, which the child does not have, may hold them."""
        need_fork()
        mine, theirs = (backend.session_store.save_session(a_session()).id for _ in range(2))
        ended = threading.Event()
        with begun(partial(append_until, ended, backend, mine)) as appending:
            try:
                for number in range(1, FORKS * soak + 1):
                    with children(lambda: backend, [partial(append_one, name=theirs)]) as [child]:
                        assert child.result() == number
            finally:
                ended.set()
        count = appending.result()
        assert backend.session_store.get_latest_sequence(mine) == count
        assert backend.session_store.get_latest_sequence(theirs) == FORKS * soak
        assert backend.maintenance.health_check() == []

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G12")
    def test_a_child_opens_a_handle_of_its_own_while_the_parent_writes(
        self, open_backend: OpenBackend, backend: Backend, soak: int
    ) -> None:
        """Check state that all handles of a process share: the child inherits it in use."""
        need_fork()
        mine, theirs = (backend.session_store.save_session(a_session()).id for _ in range(2))
        ended = threading.Event()
        with begun(partial(append_until, ended, backend, mine)):
            try:
                for number in range(1, FORKS * soak + 1):
                    with children(open_backend, [partial(append_one, name=theirs)]) as [child]:
                        assert child.result() == number
            finally:
                ended.set()
        assert backend.session_store.get_latest_sequence(theirs) == FORKS * soak
        assert backend.maintenance.health_check() == []

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G12")
    def test_a_child_works_although_another_thread_was_in_a_transaction(self, backend: Backend) -> None:
        """Check the memory state of such a transaction: no thread of the child ends it."""
        need_fork()
        mine, theirs = (backend.session_store.save_session(a_session()).id for _ in range(2))
        began, may_end = threading.Event(), threading.Event()
        with begun(partial(hold, began, may_end, backend, mine)) as holding:
            assert began.wait(PATIENCE)
            try:
                with children(lambda: backend, [partial(append_one, name=theirs)]) as [child]:
                    may_end.set()
                    assert child.result() == 1
            finally:
                may_end.set()
            holding.result(PATIENCE)
        assert numbers(backend.session_store.get_events(mine)) == list(range(1, 7))
        assert backend.maintenance.health_check() == []

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G12")
    def test_a_child_that_ends_leaves_the_transaction_of_its_parent_open(
        self, backend: Backend, other_backend: Backend, soak: int
    ) -> None:
        """Check closing in a child: it must not roll back or release anything of the parent."""
        need_fork()
        session = backend.session_store.save_session(a_session())
        stored = []
        for _ in range(FORKS * soak):
            with backend.transaction():
                events = some_events(session, 100, data={"text": LARGE})
                stored += ids(backend.session_store.append_events(events))
                with children(lambda: backend, [do_nothing]) as [child]:
                    child.result()
                stored += ids(backend.session_store.append_events(some_events(session, 1)))
        assert ids(other_backend.session_store.get_events(session.id)) == stored
        assert other_backend.maintenance.health_check() == []
