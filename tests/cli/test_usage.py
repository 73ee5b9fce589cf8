"""``asm usage``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from asm_core.models import Session
    from asm_core.ports import Backend


PRICES = '[p."m 1"]\ninput = 3\noutput = "15.50"\n'


@pytest.fixture
def spent(fill: Callable[..., Session]) -> list[Session]:
    """Two sessions of two agents: one run with a cost of its own, one without."""
    tokens = {"input_tokens": 1000, "output_tokens": 100}
    model = {"provider_metadata": {"model": "m 1"}, "token_usage": tokens}
    early = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        fill(0, agent_id="one", run={**model, "cost_usd": Decimal("0.5"), "started_at": early}),
        fill(0, agent_id="two", run=model),
        fill(0, agent_id="two", run={"provider": None}),
    ]


def test_tokens_and_costs_are_added_up_by_provider_and_model(asm: Callable[..., Result], spent: list[Session]) -> None:
    assert len(spent) == 3
    lines = [line.split("\t") for line in asm("usage").stdout.splitlines()]
    assert lines == [
        ["provider", "model", "runs", "input", "output", "total", "cost", "unpriced"],
        ["-", "-", "1", "0", "0", "0", "0", "1"],
        ["p", "m 1", "2", "2000", "200", "2200", "0.5", "1"],
        ["total", "", "3", "2000", "200", "2200", "0.5", "2"],
    ]


def test_prices_fill_in_for_runs_without_a_cost(
    asm: Callable[..., Result], spent: list[Session], tmp_path: Path
) -> None:
    assert len(spent) == 3
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    found = json.loads(asm("usage", "--pricing", str(prices), "--json").stdout)
    assert found["rows"][1]["cost_usd"] == "0.50455"
    assert (found["cost_usd"], found["unpriced_runs"]) == ("0.50455", 1)


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (("--agent", "one"), 1),
        (("--agent", "one", "--agent", "two"), 3),
        (("--provider", "p"), 2),
        (("--since", "2026-02-01"), 2),
        (("--until", "2026-02-01"), 1),
        (("--agent", "nobody"), 0),
    ],
)
def test_filters_narrow_what_is_added_up(
    asm: Callable[..., Result], spent: list[Session], options: tuple[str, ...], runs: int
) -> None:
    assert len(spent) == 3
    assert json.loads(asm("usage", "--json", *options).stdout)["runs"] == runs


def test_a_session_may_be_given_by_the_beginning_of_its_id(asm: Callable[..., Result], spent: list[Session]) -> None:
    assert json.loads(asm("usage", "--json", "--session", spent[0].id[:-1]).stdout)["cost_usd"] == "0.5"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"[p\n", "cannot be read as TOML: "),
        (b"\xff\xfe", "cannot be read as TOML: "),
        (b'[p.m]\ninput = "cheap"\noutput = 1\n', "The price of 'm' (input) must be a decimal number"),
        (b"[p]\nm = 3\n", "A pricing table is "),
    ],
)
def test_prices_that_make_no_sense_are_refused(
    asm: Callable[..., Result], backend: Backend, tmp_path: Path, content: bytes | None, message: str
) -> None:
    assert backend.name
    path = tmp_path / "prices.toml"
    if content is not None:
        path.write_bytes(content)
    result = asm("usage", "--pricing", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
