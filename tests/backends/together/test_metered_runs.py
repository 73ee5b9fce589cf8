"""What a run has used is stored at each response, and kept however the run ends, on every backend."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest

import asm_core as asm

BACKENDS = ("sqlmodel", "peewee", "pony")
PRICES = {"model": {"m": asm.TokenPrice(Decimal(3), Decimal(15), cache_read=Decimal("0.3"))}}


class Model(asm.Provider):
    """Reports one response twice and another once, and then returns or raises."""

    name = "model"

    def __init__(self, end: type[asm.ProviderError] | None) -> None:
        self.end = end

    def execute(self, run: asm.Run, session: asm.Session, emit: asm.Emit) -> asm.ProviderResult:
        del run, session
        for response, fresh, cached, said in (("a", 10, 90, 1), ("a", 10, 90, 7), ("b", 500, 10_000, 2)):
            usage = {"input_tokens": fresh + cached, "cache_read_tokens": cached, "output_tokens": said}
            emit("token_usage_updated", {"usage": usage, "model": "m", "response_id": response})
            emit("turn_completed", {})
        if self.end is not None:
            raise self.end("It broke.")
        return asm.ProviderResult(output={})

    def cancel(self, run_id: str) -> None:
        """Do nothing."""


@pytest.mark.parametrize("end", [None, asm.ProviderError])
@pytest.mark.parametrize("name", BACKENDS)
def test_a_response_that_is_reported_twice_counts_once_and_has_its_cost(
    url: str, name: str, end: type[asm.ProviderError] | None
) -> None:
    with asm.open_backend(name, url=url, migrate=True) as backend:
        seen: list[int] = []

        def look(event: asm.Event) -> None:
            if event.type == "token_usage_updated":
                seen.append(backend.session_store.get_run(event.run_id or "").token_usage.output_tokens)

        with contextlib.suppress(asm.ProviderError):
            asm.SessionManager(backend.session_store, Model(end), pricing_table=PRICES).run_once({}, on_event=look)
        [run] = backend.query_api.search_runs().items
        assert run.token_usage == {"input_tokens": 10_600, "cache_read_tokens": 10_090, "output_tokens": 9}
        # 510 x 3 + 10,090 x 0.3 + 9 x 15 millionths
        assert (run.cost_usd, run.turn_count) == (Decimal("0.004692"), 3)
        assert (sorted(seen), seen[-1]) == (seen, 9)
        [row] = backend.query_api.get_cost_summary(group_by="model").rows
        assert row.cost_usd == run.cost_usd
