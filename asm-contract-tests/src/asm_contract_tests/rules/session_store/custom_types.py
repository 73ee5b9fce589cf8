"""Event types of the application."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_event, changed, ids, numbers
from asm_core import (
    EventType,
    InvalidEventTypeError,
    Maintenance,
    QueryAPI,
    RetentionPolicy,
    Session,
    SessionStore,
)

CUSTOM = ("acme.thinking", "Acme.thinking", "acme.step-2.done", "a_b.ü")


class CustomTypesContract(Contract):
    """An event type with a dot belongs to the application; stores keep it as it is."""

    @pytest.fixture
    def custom(self, store: SessionStore) -> str:
        """Return a session with an event of each custom type, and a message after them."""
        session = store.save_session(a_session())
        for kind in (*CUSTOM, "message_sent"):
            store.append_event(an_event(session, id=kind, type=kind))
        return session.id

    @pytest.mark.guarantee("G9")
    def test_a_custom_type_is_read_as_it_was_given(self, store: SessionStore, custom: str) -> None:
        """Check how an append stores a type that is not in `EventType`, and how a read returns it."""
        assert [event.type for event in store.get_events(custom)] == [*CUSTOM, "message_sent"]
        assert {type(event.type) for event in store.get_events(custom)} == {str, EventType}
        assert store.get_event(CUSTOM[0], session_id=custom) == store.append_event(
            an_event(custom, id=CUSTOM[0], type=CUSTOM[0])
        )

    @pytest.mark.guarantee("G9")
    def test_a_batch_keeps_custom_types(self, store: SessionStore, session: Session) -> None:
        """Look for a batch that is encoded in another way than one event."""
        kinds = [*CUSTOM, *EventType, *CUSTOM]
        stored = store.append_events(an_event(session, type=str(kind)) for kind in kinds)
        assert store.get_events(session.id) == stored
        assert [event.type for event in stored] == kinds

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("acme.thinking", [1]),
            (["acme.thinking", "message_sent"], [1, 5]),
            (["acme.step-2.done", "a_b.ü"], [3, 4]),
            ("acme.unknown", []),
            ("asm.unknown", []),
        ],
    )
    def test_events_are_found_by_a_custom_type(
        self, store: SessionStore, query: QueryAPI, custom: str, kind: Any, expected: list[int]
    ) -> None:
        """Check how `find_events` and `_count_events` apply `types`: custom ones exactly."""
        assert numbers(store.get_events(custom, type=kind)) == expected
        assert numbers(list(store.follow_events(custom, type=kind, idle_timeout=0))) == expected
        assert numbers(query.search_events(types=kind).items) == expected
        assert query.count_events(types=kind) == len(expected)

    @pytest.mark.parametrize(
        "kind",
        ["thinking", "acme.", ".acme", "acme..x", "acme thinking.now", "acme/x.y", "x.\0", "x." * 300],
    )
    def test_a_name_without_a_dot_between_words_is_refused(
        self, store: SessionStore, session: Session, kind: str
    ) -> None:
        """Check `append_event` and `get_events`: an unknown name is InvalidEventTypeError."""
        with pytest.raises(InvalidEventTypeError):
            store.append_event(changed(an_event(session), type=kind))
        with pytest.raises(InvalidEventTypeError):
            store.get_events(session.id, type=kind)

    def test_reserved_types_are_only_restored(self, store: SessionStore, session: Session) -> None:
        """Check `append_events`: a type that begins with ``asm.`` is refused; a copy of one is stored."""
        event = changed(an_event(session), type="asm.noted")
        for batch in ([event], [*(an_event(session) for _ in range(20)), event]):
            with pytest.raises(InvalidEventTypeError):
                store.append_events(batch)
        assert store.get_events(session.id) == []
        assert store.restore_session(session, [], [event.numbered(1)]) == 1
        assert store.get_events(session.id, type="asm.noted") == [event.numbered(1)]

    @pytest.mark.guarantee("G9")
    def test_custom_types_are_exported(self, query: QueryAPI, custom: str) -> None:
        """Check `export_session`: events of custom types are included."""
        assert ids(query.export_session(custom).events) == [*CUSTOM, "message_sent"]

    def test_custom_types_are_pruned_first_if_the_policy_names_them(
        self, store: SessionStore, maintenance: Maintenance, custom: str
    ) -> None:
        """Check how a policy applies `prune_event_types_first` to custom types."""
        policy = RetentionPolicy(max_events_per_session=4, prune_event_types_first=["acme.step-2.done"])
        assert maintenance.prune_session_events(custom, policy) == 1
        assert ids(store.get_events(custom)) == ["acme.thinking", "Acme.thinking", "a_b.ü", "message_sent"]

    def test_a_store_with_custom_types_is_healthy(self, maintenance: Maintenance, custom: str) -> None:
        """Check `health_check`: a custom type is not an unknown type."""
        assert custom
        assert maintenance.health_check() == []
