"""What was built is what is read."""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, at, changed, soft_deleted
from asm_contract_tests.rules.inputs.payloads import PAYLOADS, exactly, payloads
from asm_core import Backend, ExecutionResult, QueryAPI, Session, SessionStore, ValidationError

TIMES = [
    datetime.min.replace(tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 3, 1, 12, 0, 0, 100000, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]


class Colour(enum.StrEnum):
    """An enum, as an application might keep it in a payload."""

    RED = "red"


def deep(levels: int) -> dict[str, Any]:
    """Return a payload with `depth` levels."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


class RoundTripContract(Contract):
    """Models compare equal after a round trip, whatever JSON, times and names they hold."""

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: next(iter(payload), "no keys") or "empty key")
    def test_every_payload_field_keeps_any_json(
        self, backend: Backend, session: Session, payload: dict[str, Any]
    ) -> None:
        """Check how JSON is written and read: order of keys, NUL, floats, large integers, 1 apart from 1.0."""
        session = changed(session, metadata=payload, context=payload)
        run = changed(
            a_run(session), input=payload, output=payload, error=payload, metadata=payload, provider_metadata=payload
        )
        event = an_event(session, data=payload, metadata=payload)
        artifact = backend.artifact_registry.register(an_artifact(metadata=payload))
        backend.session_store.flush(ExecutionResult(session, run, [event]))
        [stored_event] = backend.session_store.get_events(session.id)
        stored_run = backend.session_store.get_run(run.id)
        found = [
            *(getattr(backend.session_store.get_session(session.id), name) for name in ("metadata", "context")),
            *(getattr(stored_run, name) for name in ("input", "output", "error", "metadata", "provider_metadata")),
            *(getattr(stored_event, name) for name in ("data", "metadata")),
            getattr(backend.artifact_registry.get_by_key(artifact.key), "metadata", None),
        ]
        assert {exactly(value) for value in found} == {exactly(payload)}

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize("alike", [True, False], ids=["alike", "mixed"])
    def test_a_batch_keeps_any_json(self, store: SessionStore, session: Session, *, alike: bool) -> None:
        """Check how `_append` writes many events at once, those that differ only in data among them."""
        types = ["message_streamed"] if alike else ["message_streamed", "run_failed", "tool_call_started"]
        stored = store.append_events(
            an_event(session, type=types[number % len(types)], data=PAYLOADS[number % len(PAYLOADS)])
            for number in range(10 * len(PAYLOADS))
        )
        found = store.get_events(session.id)
        assert found == stored
        assert [exactly(event.data) for event in found] == [exactly(payload) for payload in PAYLOADS * 10]

    @pytest.mark.guarantee("G9")
    def test_any_payload_comes_back_as_it_was(self, store: SessionStore, session: Session) -> None:
        """Check how `_append` writes JSON and `find_events` reads it; Hypothesis shows the smallest that differs."""

        @settings(
            max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
        )
        @given(st.lists(payloads, min_size=1, max_size=6))
        def check(values: list[dict[str, Any]]) -> None:
            last = store.get_latest_sequence(session.id)
            store.append_events(an_event(session, data=value) for value in values)
            found = store.get_events(session.id, after=last)
            assert [exactly(event.data) for event in found] == [exactly(value) for value in values]

        check()

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize("time", TIMES, ids=str)
    def test_times_are_kept_to_the_microsecond(self, store: SessionStore, query: QueryAPI, time: datetime) -> None:
        """Check how times are written and read, far from today too."""
        session = store.save_session(a_session(created_at=time, updated_at=time))
        store.save_run(changed(a_run(session, started_at=time), ended_at=time))
        store.append_event(an_event(session, timestamp=time))
        assert store.get_session(session.id) == session
        [run] = store.list_runs(session.id)
        assert (run.started_at, run.ended_at) == (time, time)
        [event] = query.search_events(since=time)
        assert (event.timestamp, event.timestamp.tzinfo) == (time, UTC)

    @pytest.mark.guarantee("G9")
    def test_times_sort_from_the_first_to_the_last(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for times that are compared as text of varying width."""
        for place in (3, 0, 7, 5, 1, 6, 2, 4):
            store.save_session(a_session(id=f"s{place}", created_at=TIMES[place]))
        in_order = sorted(range(8), key=lambda place: TIMES[place])
        assert [session.id for session in query.search_sessions(order_by="created_at_asc")] == [
            f"s{place}" for place in in_order
        ]

    @pytest.mark.guarantee("G9")
    def test_times_of_any_zone_are_kept_in_utc(self, store: SessionStore) -> None:
        """Check how a time with another offset is written."""
        local = at(0).astimezone(timezone(timedelta(hours=-7)))
        session = store.save_session(changed(a_session(), created_at=local))
        found = store.get_session(session.id).created_at
        assert (found, found.utcoffset()) == (at(0), timedelta(0))

    @pytest.mark.guarantee("G9")
    def test_tuples_and_enums_take_the_shapes_of_json(self, store: SessionStore, session: Session) -> None:
        """Check `check_payload`: what is returned and what is stored have the same shapes."""
        event = changed(an_event(session), data={"tuple": (1, (2,)), "enum": Colour.RED, Colour.RED: 1})
        stored = store.append_event(event)
        assert exactly(stored.data) == exactly({"tuple": [1, [2]], "enum": "red", "red": 1})
        assert exactly(store.get_events(session.id)[0].data) == exactly(stored.data)

    @pytest.mark.guarantee("G9")
    def test_an_empty_payload_is_not_a_missing_one(self, store: SessionStore, session: Session) -> None:
        """Look for {} and None that become one another."""
        run = store.save_run(changed(a_run(session), input={}, output=None))
        found = store.get_run(run.id)
        assert (found.input, found.output) == ({}, None)

    @pytest.mark.guarantee("G15")
    def test_a_payload_that_is_kept_can_be_read_from_anywhere(self, store: SessionStore, session: Session) -> None:
        """Look for nesting that is accepted near the bottom of the stack and cannot be decoded further up."""
        kept = [levels for levels in (50, 100, 200, 400, 600, 800, 900, 950) if _is_kept(store, session, levels)]

        def read_from(frames: int) -> int:
            return read_from(frames - 1) if frames else len(store.get_events(session.id))

        assert kept[:2] == [50, 100]
        assert read_from(300) == len(kept)

    @pytest.mark.guarantee("G9")
    def test_a_deleted_model_stays_deleted(self, store: SessionStore) -> None:
        """Check how `deleted_at` is written by `_save_session`."""
        session = soft_deleted(store, a_session(), days=3)
        assert store.get_session(session.id) == session


def _is_kept(store: SessionStore, session: Session, levels: int) -> bool:
    try:
        store.append_event(changed(an_event(session), data=deep(levels)))
    except ValidationError:
        return False
    return True
