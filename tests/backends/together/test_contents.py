"""Reads of the contents of events, which integrations use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import asm_core as asm
from asm_core.integrating import EventContent, read_contents, read_latest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["memory", "sqlmodel", "peewee", "pony"])
def backend(request: pytest.FixtureRequest, url: str) -> Iterator[asm.Backend]:
    place = "memory://" if request.param == "memory" else url
    with asm.open_backend(request.param, url=place, migrate=True) as opened:
        yield opened


@pytest.fixture
def log(backend: asm.Backend) -> list[asm.StoredEvent]:
    """Store a log of ten events and another one with the same correlation ids, and return the first one's events."""
    stored = []
    for name in (asm.Session.new(agent_id="a").id, asm.Session.new(agent_id="a").id):
        backend.session_store.save_session(asm.Session.new(id=name, agent_id="a"))
        stored.append(
            backend.session_store.append_events(
                asm.Event.new(
                    type="acme.head" if number % 3 == 0 else "message_sent",
                    id=f"{name}:{number}",
                    session_id=name,
                    correlation_id=f"{{}}:{6 + number % 2}".format(stored[0][0].session_id if stored else name),
                    data={"n": number, "text": "hällo"},
                    metadata={"m": [number]} if number % 2 else {},
                )
                for number in range(9)
            )
        )
    return stored[0]


def test_contents_are_those_of_whole_events(backend: asm.Backend, log: list[asm.StoredEvent]) -> None:
    store, session_id = backend.session_store, log[0].session_id
    assert read_contents(store, session_id) == list(map(EventContent.of, log))
    assert read_contents(store, session_id, before=8, last=3) == list(map(EventContent.of, log[6:3:-1]))


def test_the_latest_of_a_type_comes_with_those_of_its_log_that_correlate(
    backend: asm.Backend, log: list[asm.StoredEvent]
) -> None:
    found = read_latest(backend.session_store, log[0].session_id, "acme.head")
    assert found is not None
    assert found.event == EventContent.of(log[6])
    assert found.correlated == list(map(EventContent.of, log[::2]))


def test_an_unknown_session_and_an_unused_type_have_no_contents(
    backend: asm.Backend, log: list[asm.StoredEvent]
) -> None:
    assert read_contents(backend.session_store, "unknown") == []
    assert read_latest(backend.session_store, "unknown", "acme.head") is None
    assert read_latest(backend.session_store, log[0].session_id, "acme.other") is None


def test_reads_of_contents_see_the_open_transaction(backend: asm.Backend, log: list[asm.StoredEvent]) -> None:
    with backend.transaction() as ports:
        new = ports.session_store.append_event(asm.Event.new(type="acme.head", session_id=log[0].session_id))
        found = read_latest(ports.session_store, log[0].session_id, "acme.head")
        assert found is not None
        assert found.event == EventContent.of(new)


def test_a_redacted_event_has_no_content_any_more(backend: asm.Backend, log: list[asm.StoredEvent]) -> None:
    session_id = log[0].session_id
    read_latest(backend.session_store, session_id, "acme.head")
    backend.session_store.redact_events(session_id, [log[6].id, log[0].id])
    found = read_latest(backend.session_store, session_id, "acme.head")
    assert found is not None
    assert found.event.data == {}
    assert found.correlated[0].data == {}
