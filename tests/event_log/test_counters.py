"""Each session has a counter, with the id of its log, from the transaction that stores it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_contract_tests.making import a_session, some_events

if TYPE_CHECKING:
    from collections.abc import Callable

    Execute = Callable[..., list[Any]]

COUNTERS = "SELECT session_id, last_sequence, log_id FROM asm_session_sequences"
WAYS: dict[str, Callable[[asm.SessionStore, asm.Session], object]] = {
    "save": lambda store, session: store.save_session(session),
    "flush": lambda store, session: store.flush(asm.ExecutionResult(session)),
    "restore": lambda store, session: store.restore_session(session),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_counter_is_made_with_the_session(backend: asm.Backend, execute: Execute, way: str) -> None:
    session = a_session()
    WAYS[way](backend.session_store, session)
    [(session_id, last, log_id)] = execute(COUNTERS)
    assert (session_id, last, len(log_id)) == (session.id, 0, 32)


@pytest.mark.parametrize("way", WAYS)
def test_storing_a_session_again_leaves_its_counter(backend: asm.Backend, execute: Execute, way: str) -> None:
    session = backend.session_store.save_session(a_session())
    backend.session_store.append_events(some_events(session, 3))
    before = execute(COUNTERS)
    WAYS[way](backend.session_store, session)
    assert execute(COUNTERS) == before


def test_a_log_made_again_has_another_id(backend: asm.Backend, execute: Execute) -> None:
    session = backend.session_store.save_session(a_session())
    [(_, _, first)] = execute(COUNTERS)
    backend.session_store.delete_session(session.id)
    backend.session_store.save_session(session)
    [(_, _, second)] = execute(COUNTERS)
    assert first != second


def test_an_append_makes_the_counter_that_is_missing(backend: asm.Backend, execute: Execute) -> None:
    session = backend.session_store.save_session(a_session())
    execute("DELETE FROM asm_session_sequences")
    backend.session_store.append_events(some_events(session, 2))
    [(session_id, last, log_id)] = execute(COUNTERS)
    assert (session_id, last, len(log_id)) == (session.id, 2, 32)
    assert backend.maintenance.health_check() == []


def test_a_counter_that_differs_in_its_deletion_is_found_and_set_right(backend: asm.Backend, execute: Execute) -> None:
    session = backend.session_store.save_session(a_session())
    for change in (backend.maintenance.soft_delete_session, backend.maintenance.undelete_session):
        change(session.id)
        execute("UPDATE asm_sessions SET deleted_at = CASE WHEN deleted_at IS NULL THEN created_at END")
        (fault,) = backend.maintenance.health_check()
        assert session.id in fault
        change(session.id)
        assert backend.maintenance.health_check() == []


def test_an_append_makes_no_counter_for_a_session_that_is_soft_deleted(backend: asm.Backend, execute: Execute) -> None:
    session = backend.session_store.save_session(a_session())
    backend.maintenance.soft_delete_session(session.id)
    execute("DELETE FROM asm_session_sequences")
    for events in (some_events(session, 1), some_events(session, 2)):
        with pytest.raises(asm.SessionDeletedError):
            backend.session_store.append_events(events)
    assert execute(COUNTERS) == []
