"""``asm usage``."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from asm_core.cli.files.toml import read_toml
from asm_core.cli.output import printing, tables
from asm_core.cli.output.documents import json_document
from asm_core.cli.output.text import dollars
from asm_core.cli.parsing.arguments import complete_agent, complete_session
from asm_core.cli.parsing.finding import find_session
from asm_core.cli.parsing.store import with_backend
from asm_core.cli.parsing.when import TIME_HELP, parse_time
from asm_core.ports import Backend
from asm_core.querying.accounting.groups import GROUPS
from asm_core.querying.accounting.packaged_prices import PackagedPrices, has_packaged_prices
from asm_core.querying.accounting.periods import PERIODS
from asm_core.querying.accounting.prices import check_pricing_table
from asm_core.querying.accounting.usage import CostRow, CostSummary, UsageRow, UsageSummary

NUMBERS = ("runs", "input", "cached", "output", "total", "cost", "unpriced")
BAR_WIDTH = 20

Pair = tuple[UsageRow, CostRow]


@with_backend
def sum_up_usage(
    backend: Backend,
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP",
            help=f"Group by {', '.join((*GROUPS, *PERIODS))}. Repeatable; without it, by provider and model.",
        ),
    ] = None,
    zone: Annotated[
        str, typer.Option(metavar="NAME", help="The time zone of hours, days and months, such as Europe/Berlin.")
    ] = "UTC",
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Only runs started at or after {TIME_HELP}.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only runs started before this time.")] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only runs in sessions of this agent.", autocompletion=complete_agent),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Only runs in sessions with this tag, and all others given.")
    ] = None,
    provider: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only runs of this provider.")] = None,
    session: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SESSION",
            help="Only runs of this session: its id, the beginning or the end of it, or last.",
            autocompletion=complete_session,
        ),
    ] = None,
    pricing: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file with prices, for runs without a recorded cost.")
    ] = None,
    recorded_only: Annotated[
        bool, typer.Option("--recorded-only", help="Only recorded costs, without the prices of asm-core[prices].")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show tokens and costs of runs by group.

    Costs are in US dollars; an unknown cost is "-". "cached" is the input that was read from a cache, a part of
    "input". "unpriced" counts the runs whose cost is unknown. A price file has a table for each provider and model,
    such as [anthropic."some-model"], with the keys input and output in US dollars per million tokens, and optionally
    cache_read, cache_write and cache_write_1h. Without a file, prices are those of genai-prices if asm-core[prices] is
    installed.
    """
    groups = tuple(dict.fromkeys(by)) if by else ("provider", "model")
    filters: dict[str, Any] = {
        "group_by": groups,
        "time_zone": zone,
        "session_id": [find_session(backend, one).id for one in session] if session else None,
        "agent_id": agent or None,
        "tags": tag or None,
        "provider": provider or None,
        "since": parse_time("--since", since),
        "until": parse_time("--until", until),
    }
    prices = check_pricing_table(read_toml(pricing)) if pricing else None
    tokens = backend.query_api.get_usage_summary(**filters)
    costs = backend.query_api.get_cost_summary(**filters, pricing_table=prices)
    packaged = None
    if costs.unpriced_run_count and prices is None and not recorded_only and has_packaged_prices():
        packaged = PackagedPrices()
        costs = backend.query_api.get_cost_summary(**filters, pricing_table=packaged)
    pairs = _pairs(tokens, costs, groups)
    if as_json:
        rows = [{**_values(usage, groups), **_document(usage, cost)} for usage, cost in pairs]
        source = None if packaged is None else {"source": packaged.source, "date": packaged.data_date.isoformat()}
        total = _document(tokens, costs)
        json_document({**total, "prices": source, "rows": rows})
        return
    _print_table(groups, pairs, tokens, costs)
    if packaged is not None:
        printing.note(f"prices: {packaged.source}, data of {packaged.data_date.isoformat()}")


def _pairs(tokens: UsageSummary, costs: CostSummary, groups: tuple[str, ...]) -> list[Pair]:
    # A run that is stored between the two queries may add a row to the second result.
    priced = {tuple(_values(row, groups).values()): row for row in costs.rows}
    found = ((row, priced.get(tuple(_values(row, groups).values()))) for row in tokens.rows)
    return [(row, cost) for row, cost in found if cost is not None]


def _values(row: UsageRow | CostRow, groups: tuple[str, ...]) -> dict[str, str | None]:
    return {name: getattr(row, name) for name in groups}


def _print_table(groups: tuple[str, ...], pairs: list[Pair], tokens: UsageSummary, costs: CostSummary) -> None:
    rows = [
        (*(value or "-" for value in _values(usage, groups).values()), *_cells(usage, cost)) for usage, cost in pairs
    ]
    total = ("total", *("" for _ in groups[1:]), *_cells(tokens, costs))
    if not printing.on_terminal():
        tables.table((*groups, *NUMBERS), [*rows, total], right=NUMBERS)
        return
    most = max((usage.total_tokens for usage, _ in pairs), default=0)
    bars = [_bar(usage.total_tokens, most) for usage, _ in pairs]
    drawn = [(*row, bar) for row, bar in zip(rows, bars, strict=True)]
    tables.table((*groups, *NUMBERS, ""), [*drawn, (*total, "")], right=NUMBERS)


def _bar(tokens: int, most: int) -> str:
    """Return a bar in eighths of a character, as long as this share of the most tokens.

    >>> _bar(1, 160), _bar(5, 10)
    ('▏', '██████████')
    """
    eighths = -(-tokens * BAR_WIDTH * 8 // most) if most else 0
    return "█" * (eighths // 8) + (chr(0x2590 - eighths % 8) if eighths % 8 else "")


def _cells(usage: UsageRow | UsageSummary, cost: CostRow | CostSummary) -> tuple[str, ...]:
    numbers = (
        usage.run_count,
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
        usage.total_tokens,
    )
    return (*map(str, numbers), dollars(_cost(cost)), str(cost.unpriced_run_count))


def _document(usage: UsageRow | UsageSummary, cost: CostRow | CostSummary) -> dict[str, Any]:
    known = _cost(cost)
    return {
        "runs": usage.run_count,
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "total_tokens": usage.total_tokens,
        "cost_usd": None if known is None else dollars(known),
        "unpriced_runs": cost.unpriced_run_count,
    }


def _cost(cost: CostRow | CostSummary) -> Decimal | None:
    return cost.total_cost_usd if isinstance(cost, CostSummary) else cost.cost_usd
