"""Arguments that the ports refuse, whatever the adapter: the checks are core's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from on_memory import OnMemory

from asm_contract_tests.making import (
    a_run,
    a_session,
    an_event,
    at,
    changed,
    full_event,
    full_run,
    full_session,
    label,
    some_events,
)
from asm_core import (
    ExecutionResult,
    InvalidEventTypeError,
    InvalidStatusError,
    Session,
    SessionNotFoundError,
    SessionStore,
    ValidationError,
)


class TestSessionStoreArguments(OnMemory):
    @pytest.fixture
    def copied(self) -> Session:
        """Return a session that is not stored."""
        return a_session(id="ses_copy", created_at=at(0))

    @pytest.mark.guarantee("G1")
    @pytest.mark.parametrize("number", [1, 2, 2**63 - 1])
    def test_an_event_that_bears_a_number_is_refused(self, store: SessionStore, session: Session, number: int) -> None:
        """Check `append_events`: only the store gives numbers out."""
        with pytest.raises(ValidationError):
            store.append_event(an_event(session).numbered(number))
        assert store.get_latest_sequence(session.id) == 0

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize(
        "fields",
        [
            {"id": ""},
            {"session_id": 1},
            {"timestamp": at(0).replace(tzinfo=None)},
            {"run_id": ""},
            {"data": {"not": float("inf")}},
            {"data": {1: "not a string"}},
            {"metadata": {"lone": "\ud800"}},
            {"schema_version": 0},
            {"provider": "\0"},
            {"correlation_id": "x" * 513},
        ],
        ids=label,
    )
    def test_an_event_that_cannot_be_kept_is_refused(
        self, store: SessionStore, session: Session, fields: dict[str, Any]
    ) -> None:
        """Check `append_events`: it checks the model again, since the plain constructor does not."""
        with pytest.raises(ValidationError):
            store.append_event(full_event(session, **fields))
        assert store.get_events(session.id) == []

    def test_an_event_of_an_unknown_type_is_refused(self, store: SessionStore, session: Session) -> None:
        """Check `append_events`: the type must be one of those that exist."""
        with pytest.raises(InvalidEventTypeError):
            store.append_event(full_event(session, type="daydreamed"))

    @pytest.mark.parametrize("value", [None, "evt_1", {}, object()])
    def test_only_an_event_is_appended(self, store: SessionStore, value: Any) -> None:
        """Check `append_event`: it refuses what is no Event."""
        with pytest.raises(ValidationError):
            store.append_event(value)

    @pytest.mark.guarantee("G4")
    @pytest.mark.parametrize(
        "fault",
        [{"data": {"not": object()}}, {"sequence_number": 3}, {"timestamp": at(0).replace(tzinfo=None)}],
        ids=label,
    )
    def test_a_batch_with_a_senseless_event_stores_nothing(
        self, store: SessionStore, session: Session, fault: dict[str, Any]
    ) -> None:
        """Check `append_events`: the whole batch is checked before the first event is written."""
        with pytest.raises(ValidationError):
            store.append_events([*some_events(session, 2), changed(an_event(session), **fault)])
        assert store.get_latest_sequence(session.id) == 0

    @pytest.mark.parametrize("value", [None, 1, [None], ["evt_1"]])
    def test_only_events_make_a_batch(self, store: SessionStore, value: Any) -> None:
        """Check `append_events`: it refuses what is no iterable of events."""
        with pytest.raises(ValidationError):
            store.append_events(value)

    @pytest.mark.parametrize("session_id", ["", "\0", None, 1, b"ses_1"])
    def test_a_senseless_id_is_refused(self, store: SessionStore, session_id: str) -> None:
        """Check `delete_session`: it checks the id before it looks for it."""
        with pytest.raises(ValidationError):
            store.delete_session(session_id)

    def test_metadata_without_a_run_is_refused(self, store: SessionStore) -> None:
        """Check `flush`: there is nothing to lay the metadata over."""
        session = a_session()
        with pytest.raises(ValidationError):
            store.flush(ExecutionResult(session, provider_metadata={"model": "new"}))
        with pytest.raises(SessionNotFoundError):
            store.get_session(session.id)

    @pytest.mark.parametrize("value", [None, {}, a_session()])
    def test_only_a_result_is_flushed(self, store: SessionStore, value: Any) -> None:
        """Check `flush`: it refuses what is no ExecutionResult."""
        with pytest.raises(ValidationError):
            store.flush(value)

    @pytest.mark.parametrize("fields", [{"session": None}, {"run": "run_1"}, {"events": [None]}, {"events": 1}])
    def test_a_senseless_result_is_refused(self, store: SessionStore, session: Session, fields: dict[str, Any]) -> None:
        """Check `flush`: each part of the result is checked."""
        with pytest.raises(ValidationError):
            store.flush(ExecutionResult(**{"session": session, **fields}))

    @pytest.mark.parametrize(
        "arguments",
        [
            {"after": -1},
            {"after": None},
            {"run_id": ""},
            {"type": "daydreamed"},
            {"idle_timeout": -1},
            {"idle_timeout": float("nan")},
            {"idle_timeout": "1"},
        ],
        ids=label,
    )
    def test_senseless_arguments_of_following_are_refused_at_once(
        self, store: SessionStore, session: Session, arguments: dict[str, Any]
    ) -> None:
        """Check `follow_events`: it checks when it is called, not when the first event is asked for."""
        with pytest.raises(ValidationError):
            store.follow_events(session.id, **arguments)

    @pytest.mark.parametrize("order", ["DESC", "", None, 1, ["desc"], "sequence_desc"], ids=repr)
    def test_an_unknown_direction_is_refused(self, store: SessionStore, session: Session, order: Any) -> None:
        """Check `get_events`: `order` is ``asc`` or ``desc``."""
        with pytest.raises(ValidationError):
            store.get_events(session.id, order=order)

    @pytest.mark.parametrize(
        "arguments", [{"event_id": ""}, {"event_id": None}, {"event_id": "e", "session_id": ""}], ids=repr
    )
    def test_an_invalid_id_of_an_event_is_refused(self, store: SessionStore, arguments: dict[str, Any]) -> None:
        """Check `get_event`: each argument is checked before the store is queried."""
        with pytest.raises(ValidationError):
            store.get_event(**arguments)

    @pytest.mark.parametrize("limit", [-1, True, 1.0, "1", 2**63])
    def test_a_senseless_limit_is_refused(self, store: SessionStore, limit: Any) -> None:
        """Check `list_sessions`: a limit is an integer of at least 0."""
        with pytest.raises(ValidationError):
            store.list_sessions(limit=limit)

    @pytest.mark.parametrize("offset", [-1, True, 1.0, "1", None, 2**63])
    def test_a_senseless_offset_is_refused(self, store: SessionStore, offset: Any) -> None:
        """Check `list_sessions`: an offset is an integer of at least 0."""
        with pytest.raises(ValidationError):
            store.list_sessions(offset=offset)

    @pytest.mark.parametrize("status", ["asleep", "", 1, ["active", "asleep"], ["running"]])
    def test_an_unknown_status_is_refused(self, store: SessionStore, status: Any) -> None:
        """Check `list_sessions`: each status must be one of a session's."""
        with pytest.raises(InvalidStatusError):
            store.list_sessions(status=status)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"run_id": ""},
            {"run_id": [1]},
            {"since": at(0).replace(tzinfo=None)},
            {"since": "2026-03-01"},
            {"after": -1},
            {"after": True},
            {"after": 2**63},
            {"before": -1},
            {"before": 1.5},
            {"limit": -1},
            {"limit": "1"},
            {"wait_timeout": -1},
            {"wait_timeout": float("nan")},
            {"wait_timeout": float("inf")},
            {"wait_timeout": "1"},
            {"wait_timeout": True},
            {"wait_timeout": None},
        ],
        ids=label,
    )
    def test_senseless_arguments_of_a_read_are_refused(
        self, store: SessionStore, session: Session, arguments: dict[str, Any]
    ) -> None:
        """Check `get_events`: each argument is checked before the store is queried."""
        with pytest.raises(ValidationError):
            store.get_events(session.id, **arguments)

    @pytest.mark.parametrize("kind", ["daydreamed", "", 1, ["message_sent", "daydreamed"]])
    def test_an_unknown_type_is_refused(self, store: SessionStore, session: Session, kind: Any) -> None:
        """Check `get_events`: each type must be one of those that exist."""
        with pytest.raises(InvalidEventTypeError):
            store.get_events(session.id, type=kind)

    @pytest.mark.parametrize("replace", [None, 1, "yes"])
    def test_a_senseless_replace_is_refused(self, store: SessionStore, copied: Session, replace: Any) -> None:
        """Check `restore_session`: `replace` is True or False."""
        with pytest.raises(ValidationError):
            store.restore_session(copied, replace=replace)

    @pytest.mark.parametrize(
        ("runs", "events"),
        [
            ([a_run("ses_other")], []),
            ([], [an_event("ses_other").numbered(1)]),
            ([], [an_event("ses_copy")]),
            ([], [an_event("ses_copy").numbered(0)]),
            ([None], []),
            ([], ["evt_1"]),
            (None, []),
            ([], 1),
        ],
        ids=["foreign run", "foreign event", "no number", "number 0", "no run", "no event", "no runs", "no events"],
    )
    def test_a_senseless_copy_is_refused(self, store: SessionStore, copied: Session, runs: Any, events: Any) -> None:
        """Check `restore_session`: it checks everything before it writes anything."""
        with pytest.raises(ValidationError):
            store.restore_session(copied, runs, events)
        assert store.list_sessions() == []

    @pytest.mark.parametrize("last_sequence", [-1, None, True, "1", 2**63])
    def test_a_senseless_last_number_is_refused(self, store: SessionStore, copied: Session, last_sequence: Any) -> None:
        """Check `restore_session`: a number is an integer of 64 bits, 0 or more."""
        with pytest.raises(ValidationError):
            store.restore_session(copied, last_sequence=last_sequence)

    @pytest.mark.parametrize("status", ["paused", "", 1, ["running", "active"]])
    def test_an_unknown_status_of_a_run_is_refused(self, store: SessionStore, session: Session, status: Any) -> None:
        """Check `list_runs`: each status must be one of a run's."""
        with pytest.raises(InvalidStatusError):
            store.list_runs(session.id, status=status)

    @pytest.mark.parametrize("limit", [-1, True, 2**63])
    def test_a_senseless_limit_of_runs_is_refused(self, store: SessionStore, session: Session, limit: Any) -> None:
        """Check `list_runs`: a limit is an integer of at least 0."""
        with pytest.raises(ValidationError):
            store.list_runs(session.id, limit=limit)

    @pytest.mark.parametrize(
        "fields",
        [
            {"id": ""},
            {"session_id": None},
            {"status": "paused"},
            {"input": []},
            {"output": {"not": float("nan")}},
            {"error": {"not": b"bytes"}},
            {"metadata": None},
            {"turn_count": -1},
            {"token_usage": {"input_tokens": -1}},
            {"token_usage": {"input_tokens": 2**62, "output_tokens": 2**62}},
            {"started_at": at(0).replace(tzinfo=None)},
            {"ended_at": at(0).replace(tzinfo=None)},
            {"provider": ""},
            {"provider_metadata": {"model": 1}},
            {"cost_usd": Decimal("-0.1")},
            {"cost_usd": Decimal("0.0000000001")},
            {"cost_usd": 0.1},
        ],
        ids=label,
    )
    @pytest.mark.guarantee("G9")
    def test_a_run_that_cannot_be_kept_is_refused(
        self, store: SessionStore, session: Session, fields: dict[str, Any]
    ) -> None:
        """Check `save_run`: it checks the model again, since the plain constructor does not."""
        with pytest.raises(ValidationError):
            store.save_run(full_run(session, **fields))
        assert store.list_runs(session.id) == []

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize(
        "fields",
        [
            {"id": ""},
            {"agent_id": None},
            {"status": "asleep"},
            {"parent_session_id": "\0"},
            {"metadata": {"not": {1, 2}}},
            {"context": []},
            {"tags": "one string"},
            {"tags": ("",)},
            {"created_at": at(0).replace(tzinfo=None)},
            {"updated_at": at(0).replace(tzinfo=None)},
            {"deleted_at": "yesterday"},
        ],
        ids=label,
    )
    def test_a_session_that_cannot_be_kept_is_refused(self, store: SessionStore, fields: dict[str, Any]) -> None:
        """Check `save_session`: it checks the model again, since the plain constructor does not."""
        with pytest.raises(ValidationError):
            store.save_session(full_session(**fields))
        assert store.list_sessions() == []

    @pytest.mark.parametrize("value", [None, "ses_1", {}, object()])
    def test_only_a_session_is_saved_as_one(self, store: SessionStore, value: Any) -> None:
        """Check `save_session`: it refuses what is no Session."""
        with pytest.raises(ValidationError):
            store.save_session(value)

    @pytest.mark.parametrize("fields", [{"session_id": "ses_other"}, {"sequence_number": None}], ids=label)
    def test_only_a_stored_event_of_the_session_is_read_on_from(
        self, store: SessionStore, session: Session, fields: dict[str, Any]
    ) -> None:
        """Check `get_events` and `follow_events`: both check `after` when they are called."""
        after = changed(store.append_events(some_events(session, 3))[-1], **fields)
        with pytest.raises(ValidationError):
            store.get_events(session.id, after=after)
        with pytest.raises(ValidationError):
            store.follow_events(session.id, after=after)
