"""Random models, for what must hold of any."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

import asm_core as asm
from asm_contract_tests.rules.inputs.payloads import payloads
from asm_core.models.base import MAX_INTEGER
from asm_core.values.ids import new_id

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6) | st.sampled_from(
    [" blank ", "é", "'", "%", "🙂"]
)
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001  bounds are naive
    lambda time: time.replace(tzinfo=UTC, fold=0)
)
naturals = st.integers(0, MAX_INTEGER)
counts = st.fixed_dictionaries({}, optional={name: st.integers(0, 2**40) for name in ("input_tokens", "cached")})
dollars = st.integers(0, MAX_INTEGER).map(lambda nanos: Decimal(nanos).scaleb(-9).normalize())


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def sessions() -> st.SearchStrategy[asm.Session]:
    return st.builds(
        asm.Session,
        id=st.builds(new_id, st.just("ses")),
        agent_id=names,
        status=st.sampled_from(list(asm.SessionStatus)),
        parent_session_id=maybe(names),
        metadata=payloads,
        context=payloads,
        tags=st.lists(names, unique=True, max_size=3).map(tuple),
        created_at=times,
        updated_at=times,
        deleted_at=st.none(),
        revision=st.just(1),
    ).map(asm.Session.checked)


def runs(session_id: str) -> st.SearchStrategy[asm.Run]:
    return st.builds(
        asm.Run,
        id=st.builds(new_id, st.just("run")),
        session_id=st.just(session_id),
        status=st.sampled_from(list(asm.RunStatus)),
        input=maybe(payloads),
        output=maybe(payloads),
        error=maybe(payloads),
        metadata=payloads,
        turn_count=naturals,
        token_usage=counts,
        started_at=times,
        ended_at=maybe(times),
        provider=maybe(names),
        provider_metadata=st.builds(lambda extra, model: {**extra, "model": model}, payloads, names) | st.just({}),
        cost_usd=maybe(dollars),
        revision=st.just(1),
    ).map(asm.Run.checked)


def events(session_id: str) -> st.SearchStrategy[asm.Event]:
    return st.builds(
        asm.Event,
        id=st.builds(new_id, st.just("evt")),
        type=st.sampled_from(list(asm.EventType)),
        timestamp=times,
        session_id=st.just(session_id),
        run_id=maybe(names),
        sequence_number=st.integers(1, MAX_INTEGER),
        data=payloads,
        metadata=payloads,
        schema_version=st.integers(1, MAX_INTEGER),
        provider=maybe(names),
        correlation_id=maybe(names),
    ).map(asm.Event.checked)


def artifacts(session_id: str) -> st.SearchStrategy[asm.Artifact]:
    return st.builds(
        asm.Artifact,
        id=st.builds(new_id, st.just("art")),
        session_id=st.just(session_id),
        run_id=maybe(names),
        key=st.builds(new_id, st.just("key")),
        content_type=maybe(names),
        byte_size=naturals,
        checksum_sha256=st.just("0" * 64),
        storage_backend=names,
        storage_ref=names,
        metadata=payloads,
        created_at=times,
        deleted_at=st.none(),
    ).map(asm.Artifact.checked)


@st.composite
def families(draw: st.DrawFn) -> tuple[asm.Session, asm.Run, asm.Event, asm.Artifact]:
    """Return a session, and one of each that belongs to it."""
    session = draw(sessions())
    return session, draw(runs(session.id)), draw(events(session.id)), draw(artifacts(session.id))
