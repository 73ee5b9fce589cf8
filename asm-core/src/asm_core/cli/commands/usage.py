"""``asm usage``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from asm_core.cli.finding import find_session
from asm_core.cli.output import printing
from asm_core.cli.output.text import dollars
from asm_core.cli.store import with_backend
from asm_core.cli.toml import read_toml
from asm_core.cli.when import TIME_HELP, parse_time
from asm_core.ports import Backend
from asm_core.querying.prices import check_pricing_table
from asm_core.querying.summaries import CostRow, CostSummary, UsageRow, UsageSummary

COLUMNS = ("provider", "model", "runs", "input", "output", "total", "cost", "unpriced")
NUMBERS = COLUMNS[2:]


@with_backend()
def sum_up_usage(
    backend: Backend,
    *,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Only runs started at or after {TIME_HELP}.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only runs started before this time.")] = None,
    agent: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only runs in sessions of this agent.")] = None,
    provider: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only runs of this provider.")] = None,
    session: Annotated[
        list[str] | None,
        typer.Option(metavar="SESSION", help="Only runs of this session: its id, or the beginning of it."),
    ] = None,
    pricing: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file with prices, for runs without a recorded cost.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show tokens and costs by provider and model.

    Costs are in US dollars. "unpriced" counts the runs that have neither a recorded cost nor a known price. A price
    file has a table for each provider and model, such as [anthropic."some-model"], with the keys input and output in US
    dollars per million tokens.
    """
    filters: dict[str, Any] = {
        "session_id": [find_session(backend, one).id for one in session] if session else None,
        "agent_id": agent or None,
        "provider": provider or None,
        "since": parse_time("--since", since),
        "until": parse_time("--until", until),
    }
    prices = check_pricing_table(read_toml(pricing)) if pricing else None
    tokens = backend.query_api.get_usage_summary(**filters)
    costs = backend.query_api.get_cost_summary(**filters, pricing_table=prices)
    pairs = _pairs(tokens, costs)
    if as_json:
        printing.json_document({**_totals(tokens, costs), "rows": [_document(*pair) for pair in pairs]})
        return
    rows = [_row(usage, cost) for usage, cost in pairs]
    numbers = (tokens.run_count, tokens.input_tokens, tokens.output_tokens, tokens.total_tokens)
    total = ("total", "", *map(str, numbers), dollars(costs.total_cost_usd), str(costs.unpriced_run_count))
    printing.table(COLUMNS, [*rows, total], right=NUMBERS)


def _pairs(tokens: UsageSummary, costs: CostSummary) -> list[tuple[UsageRow, CostRow]]:
    # A run that is stored between the two queries may add a row to the second result.
    priced = {(row.provider, row.model): row for row in costs.rows}
    return [(row, cost) for row in tokens.rows if (cost := priced.get((row.provider, row.model)))]


def _row(usage: UsageRow, cost: CostRow) -> tuple[str, ...]:
    numbers = (usage.run_count, usage.input_tokens, usage.output_tokens, usage.total_tokens)
    money = (dollars(cost.cost_usd), str(cost.unpriced_run_count))
    return (usage.provider or "-", usage.model or "-", *map(str, numbers), *money)


def _totals(tokens: UsageSummary, costs: CostSummary) -> dict[str, Any]:
    return {
        "runs": tokens.run_count,
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "total_tokens": tokens.total_tokens,
        "cost_usd": dollars(costs.total_cost_usd),
        "unpriced_runs": costs.unpriced_run_count,
    }


def _document(usage: UsageRow, cost: CostRow) -> dict[str, Any]:
    return {
        "provider": usage.provider,
        "model": usage.model,
        "runs": usage.run_count,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cost_usd": dollars(cost.cost_usd),
        "unpriced_runs": cost.unpriced_run_count,
    }
