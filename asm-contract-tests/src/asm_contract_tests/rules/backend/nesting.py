"""Nested transactions, and transactions of several threads."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.making import a_session, an_artifact, an_event, numbers, some_events
from asm_contract_tests.rules.backend.transactions import UnitOfWorkContract, undone
from asm_contract_tests.together import in_threads
from asm_core import AlreadyExistsError, Backend, Session, SessionNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

THREADS = 8
ENDS = ("commits", "is undone")


def ended(transaction: AbstractContextManager[Any], *, well: bool) -> AbstractContextManager[Any]:
    """Return a context for writes in a transaction, which commits or rolls back."""
    return transaction if well else undone(transaction)


def write(backend: Backend, session: Session, label: str) -> None:
    """Write through several ports, for `labels` to read."""
    backend.session_store.save_session(a_session(id=f"ses_{label}"))
    backend.session_store.append_events([an_event(session, data={"by": label}), an_event(f"ses_{label}")])
    backend.artifact_registry.register(an_artifact(key=label, session_id=f"ses_{label}"))


def labels(backend: Backend, session: Session) -> list[str]:
    """Return the labels that `write` wrote, which all ports must return equally."""
    found = [event.data["by"] for event in backend.session_store.get_events(session.id, after=1)]
    for label in found:
        assert backend.session_store.get_latest_sequence(f"ses_{label}") == 1
        assert len(backend.artifact_registry.list_by_session(f"ses_{label}")) == 1
    assert backend.query_api.search_sessions(agent_id="assistant", count=True).total_count == 3 + len(found)
    return found


class NestingContract(UnitOfWorkContract):
    """A nested transaction rolls back by itself, and commits with all outer ones."""

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    @pytest.mark.parametrize("ends", list(product(ENDS, repeat=3)), ids=", ".join)
    def test_what_is_kept_of_nested_transactions_has_ended_well_all_the_way_out(
        self, backend: Backend, other_backend: Backend, stored: Session, ends: tuple[str, ...]
    ) -> None:
        """Check nesting: each level is a savepoint of the outer one, whichever of them fails."""
        outer, middle, inner = (end == "commits" for end in ends)
        with ended(backend.transaction(), well=outer):
            write(backend, stored, "outer")
            with ended(backend.transaction(), well=middle):
                write(backend, stored, "middle")
                with ended(backend.transaction(), well=inner):
                    write(backend, stored, "inner")
                write(backend, stored, "middle again")
            write(backend, stored, "outer again")
        kept = {"outer": outer, "middle": outer and middle, "inner": outer and middle and inner}
        order = ["outer", "middle", "inner", "middle again", "outer again"]
        assert labels(other_backend, stored) == [label for label in order if kept[label.split()[0]]]
        assert numbers(backend.session_store.get_events(stored.id)) == list(range(1, 2 + len(labels(backend, stored))))
        assert backend.maintenance.health_check() == []

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_an_inner_transaction_that_a_failed_call_ends_is_undone_alone(
        self, backend: Backend, stored: Session
    ) -> None:
        """Check a call that fails in an inner transaction, and is caught outside of it: the outer one stays usable."""

        def fail(call: Callable[[], object]) -> None:
            with backend.transaction():
                write(backend, stored, "inside")
                call()

        with backend.transaction():
            write(backend, stored, "before")
            with pytest.raises(SessionNotFoundError):
                fail(lambda: backend.session_store.append_event(an_event("ses_unknown")))
            with pytest.raises(AlreadyExistsError):
                fail(lambda: backend.artifact_registry.register(an_artifact(key="before")))
            write(backend, stored, "after")
        assert labels(backend, stored) == ["before", "after"]

    @pytest.mark.requires("transactions")
    @pytest.mark.guarantee("G16")
    def test_transactions_of_threads_are_their_own(
        self, backend: Backend, other_backend: Backend, stored: Session, soak: int
    ) -> None:
        """Look for a transaction or a rollback that threads or handles share."""

        def work(place: int, turn: int) -> None:
            one = (backend, other_backend)[place // 2 % 2]
            with ended(one.transaction(), well=place % 2 == 0):
                session = one.session_store.save_session(a_session(id=f"{turn} {place}", agent_id="thread"))
                with undone(one.transaction()):
                    one.session_store.append_events(some_events(session, 2))
                one.session_store.append_events(some_events(session, 3))
                one.artifact_registry.register(an_artifact(key=session.id, session_id=session.id))

        for turn in range(3 * soak):
            in_threads(*(partial(work, place, turn) for place in range(THREADS)))
            for place in range(0, THREADS, 2):
                assert numbers(backend.session_store.get_events(f"{turn} {place}")) == [1, 2, 3]
                assert len(backend.artifact_registry.list_by_session(f"{turn} {place}")) == 1
        assert backend.query_api.search_sessions(agent_id="thread", count=True).total_count == 3 * soak * THREADS // 2
        assert backend.session_store.get_latest_sequence(stored.id) == 1
        assert backend.maintenance.health_check() == []
