"""Calls of the ports, as Hypothesis draws them: few names, few times, many ties."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hypothesis import strategies as st

from asm_contract_tests.making import MICROSECOND, SHA256, at, changed, days_ago
from asm_contract_tests.rules.inputs.payloads import payloads
from asm_core import Artifact, Event, ExecutionResult, Run, RunStatus, Session, SessionStatus, TokenUsage
from asm_core.models.statuses import check_event_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Call(NamedTuple):
    """A call of a port. Where it pages, all pages are walked through."""

    port: str
    method: str
    arguments: dict[str, Any]

    def __repr__(self) -> str:
        """Return the call as it would be written."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"backend.{self.port}.{self.method}({arguments})"


SESSION_IDS: Final = ("s1", "s2", "S2", "é")
RUN_IDS: Final = ("r1", "r2", "r3")
EVENT_IDS: Final = tuple(f"e{place}" for place in range(12))
KEYS: Final = ("k1", "k2")
DAYS: Final = tuple(days_ago(days).replace(microsecond=days) for days in (200, 100, 40, 5))
TIMES: Final = (at(0), at(0) + MICROSECOND, at(1), at(2))
KINDS: Final = ("message_streamed", "message_sent", "run_started", "error_occurred", "acme.thinking")

session_ids = st.sampled_from(SESSION_IDS[:3] * 3 + SESSION_IDS)
run_ids = st.sampled_from(RUN_IDS)
tags = st.lists(st.sampled_from(["red", "blue", "pinned"]), unique=True, max_size=2)
agents = st.sampled_from(["a", "b"])
users = st.sampled_from(["u", "v"])
providers = st.sampled_from(["p", "q"])
event_ids = st.sampled_from(EVENT_IDS)
kinds = st.sampled_from(KINDS)
bodies = st.sampled_from([{}, {"n": 1}, {"b": 1, "a": 2}]) | payloads


def often(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a field that may be None."""
    return st.none() | values


def choice(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a filter: none, one value, several."""
    return st.none() | values | st.lists(values, max_size=2)


def _usage(fresh: int, cached: int, said: int, thought: int) -> TokenUsage:
    counts = {"input_tokens": fresh + cached, "cache_read_tokens": cached, "output_tokens": said + thought}
    return TokenUsage(counts, reasoning_tokens=thought, own=said) if fresh else TokenUsage()


sessions = st.builds(
    Session,
    id=session_ids,
    agent_id=agents,
    user_id=often(users),
    title=often(st.sampled_from(["Plan", "STRASSE"])),
    status=st.sampled_from(SessionStatus),
    parent_session_id=often(session_ids),
    metadata=bodies,
    context=st.sampled_from([{}, {"nul": "\0"}]),
    tags=tags.map(tuple),
    created_at=st.sampled_from(DAYS),
    updated_at=st.sampled_from(DAYS),
    deleted_at=st.sampled_from([None, None, None, DAYS[1], DAYS[3]]),
)
runs = st.builds(
    Run,
    id=run_ids,
    session_id=session_ids,
    status=st.sampled_from(RunStatus),
    input=often(bodies),
    output=often(bodies),
    token_usage=st.builds(_usage, *[st.sampled_from([0, 1, 2, 2**40])] * 4),
    started_at=st.sampled_from(TIMES),
    ended_at=often(st.sampled_from(TIMES)),
    provider=often(providers),
    provider_metadata=st.sampled_from([{}, {"model": "m"}, {"model": "n", "seed": 1}, {"model": None}]),
    cost_usd=often(st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("0.000000001"), Decimal(12)])),
)
events = st.builds(
    Event,
    id=event_ids,
    type=kinds.map(check_event_type),
    timestamp=st.sampled_from(TIMES),
    session_id=st.sampled_from(SESSION_IDS[:1] * 4 + SESSION_IDS),
    run_id=often(run_ids),
    data=bodies,
    metadata=st.sampled_from([{}, {"m": 1.0}, {"m": 1}]),
    provider=often(providers),
    correlation_id=often(st.just("c")),
)
artifacts = st.builds(
    Artifact,
    id=st.sampled_from(["x1", "x2", "x3"]),
    session_id=often(session_ids),
    key=st.sampled_from(KEYS),
    byte_size=st.integers(0, 2),
    checksum_sha256=st.just(SHA256),
    storage_backend=st.just("file"),
    storage_ref=st.just("/x"),
    created_at=st.sampled_from(TIMES),
)
policies: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "max_session_age_days": st.sampled_from([None, 0, 60, 150]),
        "max_completed_session_age_days": st.sampled_from([None, 0, 60]),
        "max_events_per_session": st.sampled_from([None, 0, 1, 3]),
        "max_total_events": st.sampled_from([None, 0, 2, 4]),
        "hard_delete_after_days": st.sampled_from([None, 0, 30, 150]),
        "exempt_statuses": st.sampled_from([(), ("active",), ("failed", "pending")]),
        "exempt_tags": st.sampled_from([(), ("pinned",), ("red", "blue")]),
        "prune_event_types_first": st.sampled_from([(), ("message_sent",)]),
        "batch_size": st.sampled_from([1, 2, 3]),
        "archive": st.just(value=True),
    },
)


def calls(port: str, method: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    """Return a strategy for calls of one method."""
    return st.fixed_dictionaries(arguments).map(lambda drawn: Call(port, method, drawn))


def given(**optional: st.SearchStrategy[Any]) -> Callable[..., st.SearchStrategy[Call]]:
    """Return `calls` for a method with at most two of these filters: more would let nothing through."""
    filters = st.lists(st.sampled_from(sorted(optional)), unique=True, max_size=2)
    chosen = filters.flatmap(lambda names: st.fixed_dictionaries({name: optional[name] for name in names}))

    def build(port: str, method: str, **needed: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
        both = st.tuples(st.fixed_dictionaries(needed), chosen)
        return both.map(lambda drawn: Call(port, method, {**drawn[0], **drawn[1]}))

    return build


def copies(session: Session) -> st.SearchStrategy[Call]:
    """Return a strategy for copies of a session: its runs, and events with numbers."""
    mine = events.map(lambda event: changed(event, session_id=session.id))
    numbered = st.tuples(mine, st.integers(1, 6)).map(lambda pair: pair[0].numbered(pair[1]))
    return calls(
        "session_store",
        "restore_session",
        session=st.just(session),
        runs=st.lists(runs.map(lambda run: changed(run, session_id=session.id)), max_size=1),
        events=st.lists(numbered, max_size=3),
        last_sequence=st.integers(0, 8),
        replace=st.booleans(),
    )


def _named(name: str) -> Callable[[Session], Session]:
    return lambda session: changed(session, id=name)


results = st.builds(
    ExecutionResult,
    sessions,
    often(runs),
    st.lists(events, max_size=3),
    st.sampled_from([None, None, {"model": "m"}]),
)
appends: st.SearchStrategy[Call] = st.one_of(
    calls("session_store", "append_event", event=events),
    calls("session_store", "append_events", events=st.lists(events, max_size=4)),
    calls("session_store", "flush", result=results),
)
revisions = st.sampled_from([None, None, 0, 1, 2, 3])


def retitled(session: Session) -> Session:
    """Return the session with another title."""
    return changed(session, title=f"{session.title}, later")


def counted(run: Run) -> Run:
    """Return the run with one more turn."""
    return changed(run, turn_count=run.turn_count + 1)


saves: st.SearchStrategy[Call] = st.one_of(
    calls("session_store", "save_session", session=sessions, expected_revision=revisions),
    calls("session_store", "save_run", run=runs, expected_revision=revisions),
    calls("session_store", "update_session", session_id=session_ids, change=st.just(retitled)),
    calls("session_store", "update_run", run_id=run_ids, change=st.just(counted)),
    calls("artifact_registry", "register", artifact=artifacts),
)
removals: st.SearchStrategy[Call] = st.one_of(
    calls("session_store", "delete_events", session_id=session_ids, after=st.integers(0, 2), type=often(kinds)),
    calls("session_store", "delete_events", session_id=session_ids, ids=st.lists(event_ids, min_size=2, max_size=8)),
    calls(
        "session_store",
        "redact_events",
        session_id=session_ids,
        ids=st.lists(event_ids, min_size=2, max_size=8),
        data=bodies,
    ),
    calls("maintenance", "erase_user", user_id=users),
    calls("session_store", "delete_session", session_id=session_ids),
    calls("maintenance", "soft_delete_session", session_id=session_ids),
    calls("maintenance", "undelete_session", session_id=session_ids),
    calls("artifact_registry", "delete", key=st.sampled_from(KEYS)),
    sessions.flatmap(copies),
)
"""What takes things away, and what puts them back."""

beginnings: st.SearchStrategy[list[Call]] = st.tuples(
    *(calls("session_store", "save_session", session=sessions.map(_named(name))) for name in SESSION_IDS[:3]),
    *[calls("session_store", "save_run", run=runs)] * 2,
    *[calls("session_store", "append_events", events=st.lists(events, min_size=2, max_size=4))] * 4,
).map(list)
"""What a sequence of calls begins with, so that there is something to ask for."""


def time_of(times: tuple[datetime, ...]) -> st.SearchStrategy[datetime]:
    """Return a strategy for a bound of time: at one that occurs, and next to it."""
    return st.builds(lambda time, step: time + step * MICROSECOND, st.sampled_from(times), st.integers(-1, 1))
