"""The usage that a provider reports in events and in its result."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable

PRICES = {"told": {"m": asm.TokenPrice(Decimal(3), Decimal(15))}}


class Told(asm.Provider):
    """Emits events, and then returns or raises."""

    name = "told"

    def __init__(self, events: list[tuple[str, dict[str, Any]]], end: Callable[[], asm.ProviderResult]) -> None:
        self.events = events
        self.end = end

    def execute(self, run: asm.Run, session: asm.Session, emit: asm.Emit) -> asm.ProviderResult:
        del run, session
        for kind, data in self.events:
            emit(kind, data)
        return self.end()

    def cancel(self, run_id: str) -> None:
        pass


def used(count: int, response: str | None = None, **usage: Any) -> tuple[str, dict[str, Any]]:
    return "token_usage_updated", {
        "usage": {"input_tokens": 10, "output_tokens": count, **usage},
        "model": "m",
        **({} if response is None else {"response_id": response}),
    }


def executed(events: list[tuple[str, dict[str, Any]]], end: Callable[[], asm.ProviderResult]) -> asm.Run:
    backend = MemoryBackend()
    manager = asm.SessionManager(backend.session_store, Told(events, end), pricing_table=PRICES)
    with contextlib.suppress(asm.ProviderError):
        manager.run_once({})
    [session] = backend.session_store.list_sessions()
    [run] = backend.session_store.list_runs(session.id)
    return run


def answer(**fields: Any) -> asm.ProviderResult:
    return asm.ProviderResult(output={"answer": 42}, **fields)


def fail() -> asm.ProviderResult:
    message = "It broke."
    raise asm.ProviderError(message)


def cancel() -> asm.ProviderResult:
    message = "It was cancelled."
    raise asm.ProviderError(message, details={"cancelled": True})


def test_a_response_that_is_reported_twice_counts_once() -> None:
    run = executed([used(1, "a"), used(7, "a"), used(2, "b")], answer)
    assert run.token_usage == {"input_tokens": 20, "output_tokens": 9}


def test_reports_without_a_response_are_added() -> None:
    assert executed([used(1), used(2)], answer).token_usage == {"input_tokens": 20, "output_tokens": 3}


def test_a_result_with_the_whole_usage_is_not_added_to_its_parts() -> None:
    whole = {"input_tokens": 20, "output_tokens": 9}
    run = executed([used(7, "a"), used(2, "b")], lambda: answer(token_usage=whole))
    assert run.token_usage == whole


@pytest.mark.parametrize(("end", "status"), [(answer, "completed"), (fail, "failed"), (cancel, "cancelled")])
def test_a_run_keeps_its_usage_and_cost_however_it_ends(end: Callable[[], Any], status: str) -> None:
    """10 x 3 + 7 x 15 millionths."""
    run = executed([used(7, "a"), ("turn_completed", {})], end)
    assert (run.status, run.token_usage, run.model) == (status, {"input_tokens": 10, "output_tokens": 7}, "m")
    assert (run.cost_usd, run.turn_count) == (Decimal("0.000135"), 1)


def test_a_cost_that_the_provider_reports_is_kept() -> None:
    assert executed([used(7)], lambda: answer(cost_usd=Decimal(2))).cost_usd == Decimal(2)


def test_a_run_has_its_usage_at_each_response() -> None:
    backend = MemoryBackend()
    store = backend.session_store
    seen = []

    def look(event: asm.Event) -> None:
        if event.type == "token_usage_updated":
            seen.append(store.get_run(event.run_id or "").token_usage.output_tokens)

    asm.SessionManager(store, Told([used(7, "a")], answer)).run_once({}, on_event=look)
    assert seen == [7]


def test_usage_that_cannot_be_read_is_kept_with_a_warning() -> None:
    raw = {"input_tokens": 5, "mystery_tokens": 3}
    run = executed([used(7, "a", mystery_tokens=3)], lambda: answer(token_usage=raw))
    assert (run.status, run.output, run.cost_usd) == ("completed", {"answer": 42}, None)
    assert run.provider_metadata["token_usage"] == raw
    assert "mystery_tokens = 3" in run.metadata["asm_warnings"][0]
