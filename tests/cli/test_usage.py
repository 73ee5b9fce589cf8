"""``asm usage``."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from asm_core.cli.output import printing

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
    tokens = {"input_tokens": 1000, "cache_read_tokens": 300, "output_tokens": 100}
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
        ["provider", "model", "runs", "input", "cached", "output", "total", "cost", "unpriced"],
        ["-", "-", "1", "0", "0", "0", "0", "-", "1"],
        ["p", "m 1", "2", "2000", "600", "200", "2200", "0.5", "1"],
        ["total", "", "3", "2000", "600", "200", "2200", "0.5", "2"],
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


def test_usage_is_grouped_by_days_of_a_time_zone(asm: Callable[..., Result], spent: list[Session]) -> None:
    options = ("--by", "day", "--by", "agent_id", "--zone", "Asia/Kathmandu", "--until", "2026-02-01")
    assert spent
    lines = [line.split("\t") for line in asm("usage", *options).stdout.splitlines()]
    assert lines == [
        ["day", "agent_id", "runs", "input", "cached", "output", "total", "cost", "unpriced"],
        ["2026-01-01", "one", "1", "1000", "300", "100", "1100", "0.5", "0"],
        ["total", "", "1", "1000", "300", "100", "1100", "0.5", "0"],
    ]
    [row] = json.loads(asm("usage", "--json", *options).stdout)["rows"]
    assert (row["day"], row["agent_id"], row["cost_usd"]) == ("2026-01-01", "one", "0.5")
    assert "provider" not in row


def test_an_unknown_cost_is_null_in_json(asm: Callable[..., Result], spent: list[Session]) -> None:
    assert spent
    found = json.loads(asm("usage", "--json", "--agent", "two").stdout)
    assert (found["cost_usd"], found["unpriced_runs"]) == (None, 2)
    assert [row["cost_usd"] for row in found["rows"]] == [None, None]


def test_bars_on_a_terminal_show_the_share_of_tokens(
    asm: Callable[..., Result], spent: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spent
    monkeypatch.setattr(printing, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    lines = [line.split() for line in asm("usage", "--by", "agent_id").stdout.splitlines()]
    bars = {line[0]: line[-1].count("\u2588") for line in lines if line and line[0] in {"one", "two", "total"}}
    assert bars == {"one": 20, "two": 20, "total": 0}


def test_prices_of_the_package_are_named_with_their_date(
    asm: Callable[..., Result], fill: Callable[..., Session]
) -> None:
    model = {"provider_metadata": {"model": "claude-sonnet-4-5"}, "token_usage": {"output_tokens": 1_000_000}}
    fill(0, run={**model, "provider": "anthropic"})
    result = asm("usage", "--recorded-only")
    assert (result.stdout.splitlines()[1].split("\t")[7], result.stderr) == ("-", "")
    result = asm("usage")
    assert Decimal(result.stdout.splitlines()[1].split("\t")[7]) > 0
    assert re.fullmatch(r"prices: genai-prices [\d.]+, data of \d{4}-\d\d-\d\d\n", result.stderr)
    prices = json.loads(asm("usage", "--json").stdout)["prices"]
    assert prices["source"].startswith("genai-prices ")


@pytest.mark.parametrize("options", [("--by", "colour"), ("--zone", "Mars/Olympus")])
def test_an_unknown_group_or_zone_is_refused(
    asm: Callable[..., Result], backend: Backend, options: tuple[str, str]
) -> None:
    assert backend.name
    result = asm("usage", *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Unknown " in result.stderr


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (("--agent", "one"), 1),
        (("--agent", "one", "--agent", "two"), 3),
        (("--provider", "p"), 2),
        (("--since", "2026-02-01"), 2),
        (("--until", "2026-02-01"), 1),
        (("--agent", "nobody"), 0),
        (("--tag", "none"), 0),
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
        (b"[p.m]\ninput = 1\noutput = 1\ncached = 1\n", "unknown key 'cached'"),
        (b"[p.m]\ninput = 1\noutput = -1\n", "must be at least 0"),
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
