"""An event that a store returned has a number, for type checkers too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asm_core as asm
from asm_contract_tests.making import an_event

if TYPE_CHECKING:
    from asm_core import StoredEvent


def next_number(event: StoredEvent) -> int:
    """Return the number that follows; a type checker accepts this only because the number is an int."""
    return event.sequence_number + 1


def test_the_number_of_a_stored_event_is_an_int_for_type_checkers() -> None:
    store = asm.MemoryBackend().session_store
    session = store.save_session(asm.Session.new(agent_id="a"))
    assert next_number(store.append_event(an_event(session))) == 2
    assert [next_number(event) for event in store.get_events(session.id)] == [2]


def test_what_is_read_is_of_the_class_that_was_built() -> None:
    assert asm.StoredEvent is asm.Event
    event = an_event("s")
    assert event.numbered(1) == event.numbered(1).checked()
