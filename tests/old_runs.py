"""Runs of an earlier schema version, before the parts of their tokens had columns."""

import json
from typing import Any

BEFORE = 5
"""The version without these columns."""

OLD_RUNS = {
    # token counts as an earlier version stored them: the columns input, output and total, then the JSON
    "plain": (5, 2, 7, {"input_tokens": 5, "output_tokens": 2}),
    "own total": (5, 2, 9, {"input_tokens": 5, "output_tokens": 2, "total_tokens": 9}),
    "parts": (
        100,
        50,
        150,
        {
            "input_tokens": 100,
            "cache_read_tokens": 60,
            "cache_write_tokens": 30,
            "cache_write_1h_tokens": 10,
            "output_tokens": 50,
            "reasoning_tokens": 20,
        },
    ),
    "parts beside": (3, 1, 4, {"input_tokens": 3, "cache_read_tokens": 2_000, "output_tokens": 1}),
}
NEW_COLUMNS = {
    # total, cache reads, cache writes, those of one hour, reasoning
    "plain": (7, 0, 0, 0, 0),
    "own total": (7, 0, 0, 0, 0),
    "parts": (150, 60, 30, 10, 20),
    "parts beside": (4, 3, 0, 0, 0),
}
TOTALS = "SELECT id, total_tokens FROM asm_runs"
PARTS = (
    "SELECT id, total_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, reasoning_tokens "
    "FROM asm_runs"
)


def fill_runs(execute: Any, mark: str) -> None:
    """Store runs as version `BEFORE` did."""
    now = "2026-01-01T00:00:00.000000Z"
    sessions = "id, agent_id, status, metadata, context, tags, created_at, updated_at"
    runs = "id, token_usage, input_tokens, output_tokens, total_tokens"
    others = "session_id, status, metadata, turn_count, started_at, provider_metadata"
    session = f"'s', 'a', 'active', '{{}}', '{{}}', '[]', '{now}', '{now}'"
    run = f"'s', 'completed', '{{}}', 0, '{now}', '{{}}'"
    execute(f"INSERT INTO asm_sessions ({sessions}) VALUES ({session})", ())  # noqa: S608  literals
    for name, (given, made, total, usage) in OLD_RUNS.items():
        sql = f"INSERT INTO asm_runs ({others}, {runs}) VALUES ({run}, {', '.join([mark] * 5)})"  # noqa: S608  literals
        execute(sql, (name, json.dumps(usage), given, made, total))
