"""Thousands of hostile inputs: each is refused, or stored as it is and found by nothing but itself."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, changed, some_events
from asm_contract_tests.rules.backend.workload import everything
from asm_contract_tests.rules.inputs.carriers import CARRIERS, HOLDER
from asm_contract_tests.rules.inputs.grammar import SIZES, hostile_text, levels_of, neighbour, nested
from asm_core import Backend, ExecutionResult, RetentionPolicy, Session, SessionStore, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_contract_tests.rules.inputs.carriers import Carrier

INPUTS: Final = 2000
TOGETHER: Final = 50
"""How many are in the store at the same time; each second one is nearly the same as the one before."""
AT_ONCE: Final = RetentionPolicy(max_session_age_days=0, hard_delete_after_days=0)
"""All sessions expire, and all but those that are active go."""


def hostile_texts(count: int) -> Iterator[list[str]]:
    """Yield lists of different texts, `count` in total."""
    random = Random(20261123)  # noqa: S311  no secrets
    for start in range(0, count, TOGETHER):
        texts: dict[str, None] = {}
        while len(texts) < min(TOGETHER, count - start):
            text = hostile_text(random)
            texts |= {text: None, neighbour(random, text): None}
        yield list(islice(texts, min(TOGETHER, count - start)))


def carry(carrier: Carrier, backend: Backend, texts: list[str]) -> None:
    """Let a carrier write all texts, then look for each; that a text is refused as invalid is fine."""
    written = []
    for text in texts:
        try:
            steps = carrier(backend, text)
            next(steps)
            written.append((text, steps))
        except ValidationError:
            continue
        except Exception as error:
            error.add_note(f"raised where {carrier.__name__} gave {text!r}")
            raise
    for text, steps in written:
        try:
            assert next(steps, "looked") == "looked"
        except Exception as error:
            error.add_note(f"raised where {carrier.__name__} looked for {text!r}")
            raise


def ways_to_give(backend: Backend, session: Session, payload: dict[str, Any]) -> list[Callable[[], Any]]:
    """Return calls that store a payload, unchecked by its model, and return the stored one; the last one checks it."""
    store, run, event = backend.session_store, a_run(session), an_event(session)
    flushed = ExecutionResult(session, events=[changed(an_event(session), data=payload)])
    artifact = changed(an_artifact(key=event.id), metadata=payload)
    return [
        lambda: store.get_session(store.save_session(changed(session, metadata=payload)).id).metadata,
        lambda: store.get_run(store.save_run(changed(run, input=payload)).id).input,
        lambda: store.get_events(store.append_event(changed(event, data=payload)).session_id)[-1].data,
        lambda: store.get_events(store.flush(flushed)[0].session_id)[-1].data,
        lambda: backend.artifact_registry.register(artifact).metadata,
        lambda: an_event(session, data=payload).data,
    ]


def kept(give: Callable[[], Any]) -> tuple[int, Any] | None:
    """Return how deep a payload is that was stored, and its innermost value; None if it was refused."""
    try:
        return levels_of(give())
    except ValidationError:
        return None


class HostileTextsContract(Contract):
    """Text is only ever text: never a statement, a pattern, a place holder, a path or a format."""

    @pytest.fixture
    def bystander(self, store: SessionStore) -> Session:
        """Return a session that is stored with events, and that nothing may touch."""
        session = a_session(id="ses_bystander", agent_id="bystander", status="active")
        store.flush(ExecutionResult(session, a_run(session), some_events(session, 3)))
        return store.get_session(session.id)

    @pytest.mark.guarantee("G9")
    @pytest.mark.guarantee("G15")
    def test_hostile_text_is_refused_or_stored_as_it_is(self, backend: Backend, bystander: Session, soak: int) -> None:
        """Check what the note names: a text was executed, taken for a pattern, changed, or found by another one.

        What was there before is as it was, whatever was carried in beside it and taken out again.
        """
        before = everything(backend)
        assert bystander in before["sessions"]
        for place, texts in enumerate(hostile_texts(INPUTS * soak)):
            backend.session_store.save_session(a_session(id=HOLDER))
            carry(CARRIERS[place % len(CARRIERS)], backend, texts)
            for _ in ("mark them as deleted", "remove them"):
                backend.maintenance.execute(AT_ONCE)
            assert everything(backend) == before
        assert backend.maintenance.health_check() == []

    @pytest.mark.guarantee("G9")
    @pytest.mark.parametrize("size", SIZES)
    def test_a_huge_payload_is_refused_or_stored_as_it_is(
        self, store: SessionStore, session: Session, size: str
    ) -> None:
        """Look for a limit of the database that cuts off, or an error of its own."""
        try:
            events = [an_event(session, data=SIZES[size]()) for _ in range(2)]
        except ValidationError:
            return
        assert store.append_event(events[0]).data == events[0].data
        assert store.save_session(changed(session, metadata=events[0].data)) == store.get_session(session.id)
        assert store.append_events([events[1], an_event(session)])[0].data == events[1].data
        assert [event.data for event in store.get_events(session.id)] == [events[0].data, events[1].data, {}]

    @pytest.mark.guarantee("G14")
    def test_thousands_of_tags_are_stored_and_found(self, store: SessionStore, backend: Backend) -> None:
        """Look for a limit on the tags of a session, or on how many are asked for."""
        tags = [f"{place} %'" for place in range(3000)]
        session = store.save_session(a_session(tags=tags))
        store.save_session(a_session(tags=tags[1:]))
        assert store.get_session(session.id).tags == tuple(tags)
        assert backend.query_api.search_sessions(tags=tags[:1]).items == [session]

    @pytest.mark.guarantee("G15")
    @pytest.mark.parametrize("shape", ["objects", "arrays"])
    def test_a_payload_of_any_depth_is_refused_or_stored_as_it_is(
        self, backend: Backend, session: Session, shape: str
    ) -> None:
        """Look for what walks a payload by recursion, and what the driver does with one that is deep."""
        for levels in (10, 100, 150, 199, 200, 201, 500, 990, 1000, 3000, 100_000):
            found = [kept(give) for give in ways_to_give(backend, session, nested(levels, shape))]
            assert found in ([(levels, "innermost")] * len(found), [None] * len(found))
        assert backend.maintenance.health_check() == []
