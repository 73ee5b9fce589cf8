"""Every argument of every public method, with invalid values."""

from __future__ import annotations

import base64
import enum
import inspect
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_record, a_run, a_session, an_artifact, an_event, at, changed
from asm_core import (
    ArtifactRegistry,
    AsmError,
    Backend,
    ExecutionResult,
    Maintenance,
    QueryAPI,
    RetentionPolicy,
    SessionStore,
    StateStore,
    TokenPrice,
)

NOTHING: Final = object()


class _Letter(enum.Enum):
    A = "a"


class _Unshowable:
    def __repr__(self) -> str:
        message = "this cannot be shown"
        raise RuntimeError(message)


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def _cursor_of(body: bytes) -> str:
    """Return a cursor with a valid checksum, which anyone can forge."""
    check_sum = blake2b(body, digest_size=9, person=b"asm cursor").digest()
    return base64.urlsafe_b64encode(check_sum + body).decode().rstrip("=")


VALUES: Final[list[Any]] = [
    None,
    True,
    -1,
    0,
    1.5,
    float("nan"),
    float("inf"),
    2**63,
    10**30,
    -(10**30),
    "",
    "x",
    "\0",
    "\ud800",
    "'; DROP TABLE asm_sessions; --",
    "x" * 100_000,
    b"x",
    [],
    [None],
    [[]],
    ["x", "\0"],
    {},
    {"x": object()},
    {1: 1},
    set(),
    object(),
    at(0).replace(tzinfo=None),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    a_session(),
    changed(a_session(), id=None, tags=None, metadata=None),
    changed(a_run("x"), status="no status", cost_usd="1"),
    changed(an_event("x"), data={"x": float("nan")}, timestamp=None),
    changed(an_artifact(), byte_size="3", created_at=1),
    changed(a_record(), namespace=None, value=float("nan"), revision="1", updated_at=1),
    ExecutionResult(None),  # type: ignore[arg-type]
    ExecutionResult(a_session(), run=1, events=2),  # type: ignore[arg-type]
    len,
    int,
    10**5000,
    -(10**5000),
    Decimal("1e999999"),
    Decimal("sNaN"),
    _nested(3_000),
    {"x": _nested(3_000)},
    {_Letter.A: 1, "a": 2},
    {"x": 10**5000},
    _Unshowable(),
    [_Unshowable()],
    {"p": {"m": {"input": 1.5, "output": True}}},
    {"p": {"m": TokenPrice(input=1.5, output=Decimal("1e999999"))}},  # type: ignore[arg-type]
    {"p": {"m": TokenPrice(input=None, output="x")}},  # type: ignore[arg-type]
    _cursor_of(b"[" * 3_000 + b"]" * 3_000),
    _cursor_of(b'[1,"sessions","updated_at_desc",' + b"[" * 3_000 + b"]" * 3_000 + b"]"),
]

SOUND: Final[dict[str, Any]] = {
    "session": a_session(),
    "run": a_run("s"),
    "event": an_event("s"),
    "events": [an_event("s")],
    "result": ExecutionResult(a_session()),
    "event_id": "e",
    "text": "word",
    "session_id": "s",
    "session_ids": ["s"],
    "run_id": "r",
    "change": lambda read: read,
    "ids": ["e"],
    "user_id": "u",
    "storage_backend": "disk",
    "refs": ["a"],
    "artifact": an_artifact(),
    "key": "k",
    "namespace": "n",
    "value": 1,
    "record": a_record(),
    "policy": RetentionPolicy(),
}
"""What the arguments that a method cannot do without are, where another one is tried out."""

PORTS: Final[dict[str, type]] = {
    "session_store": SessionStore,
    "query_api": QueryAPI,
    "maintenance": Maintenance,
    "artifact_registry": ArtifactRegistry,
    "state_store": StateStore,
}


class FuzzContract(Contract):
    """A public method returns, or raises an error of this project, for any arguments."""

    @pytest.mark.guarantee("G15")
    @pytest.mark.parametrize("port", PORTS)
    def test_no_foreign_error_leaves_a_port(self, backend: Backend, port: str) -> None:
        """Check the argument that the failure names: it is not checked, or the driver's error is not translated."""
        backend.session_store.save_session(a_session(id="s"))
        backend.session_store.append_event(an_event("s"))  # waiters need events to find
        for method, arguments in _calls(backend, port):
            if method.__name__ == "follow_events":  # delete_events may have emptied the log
                backend.session_store.append_event(an_event("s"))
            try:
                answer = method(**arguments)
                if isinstance(answer, Iterator):
                    list(islice(answer, 1))
            except AsmError:
                continue
            except Exception as error:
                culprit = {name: value for name, value in arguments.items() if value is not SOUND.get(name, NOTHING)}
                error.add_note(f"raised by {port}.{method.__name__} for {str(culprit)[:200]}")
                raise

    @pytest.mark.guarantee("G15")
    @pytest.mark.parametrize("port", PORTS)
    def test_a_store_that_was_fuzzed_is_healthy(self, backend: Backend, port: str) -> None:
        """Look for an input that was refused too late, or executed: a session from before must be as it was."""
        session = backend.session_store.save_session(a_session(id="bystander", status="active"))
        event = backend.session_store.append_event(an_event(session))
        for method, arguments in _calls(backend, port):
            try:
                answer = method(**arguments)
                if isinstance(answer, Iterator):
                    list(islice(answer, 1))
            except AsmError:
                continue
        assert backend.session_store.get_session("bystander") == session
        assert backend.session_store.get_events("bystander") == [event]
        assert backend.maintenance.health_check() == []


def _calls(backend: Backend, port: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    for name, _ in inspect.getmembers(PORTS[port], inspect.isfunction):
        if name.startswith("_"):
            continue
        method = getattr(getattr(backend, port), name)
        parameters = list(inspect.signature(getattr(PORTS[port], name)).parameters.values())[1:]
        needed = {one.name: SOUND[one.name] for one in parameters if one.default is one.empty}
        for parameter in parameters:
            # The errors of a function of the caller's are the caller's own.
            for value in VALUES if parameter.name != "change" else [one for one in VALUES if not callable(one)]:
                yield method, {**needed, **_patience(parameters), parameter.name: value}


def _patience(parameters: Sequence[inspect.Parameter]) -> dict[str, Any]:
    # Following ends at once, where it is not the patience itself that is tried out.
    return {"idle_timeout": 0} if any(one.name == "idle_timeout" for one in parameters) else {}
