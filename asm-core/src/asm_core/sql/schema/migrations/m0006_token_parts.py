"""Columns for the parts of a run's tokens; the total is the sum of input and output.

Counts of earlier runs come from their JSON, which stays as it was. A part never exceeds what is left of its whole.
"""

from __future__ import annotations

from typing import Final

from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations.migration import Migration

_COLUMNS: Final = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens")
_DROPPED: Final = tuple(f"ALTER TABLE {{runs}} DROP COLUMN {column}" for column in _COLUMNS)


def _filled(count: str, least: str, place: str) -> tuple[str, ...]:
    """Return the statements that fill the columns.

    Args:
        count: reads a count of the JSON.
        least: the function that returns the smaller of two numbers.
        place: the function that returns the place of a text in another.
    """
    counted = {name: f"COALESCE({count.format(name)}, 0)" for name in _COLUMNS}
    return (
        # Few runs have parts, and a total of their own. All others are left alone.
        "UPDATE {runs} SET "
        f"cache_read_tokens = {least}({counted['cache_read_tokens']}, input_tokens), "
        f"cache_write_tokens = {least}({counted['cache_write_tokens']}, "
        f"input_tokens - {least}({counted['cache_read_tokens']}, input_tokens)), "
        f"reasoning_tokens = {least}({counted['reasoning_tokens']}, output_tokens) "
        f"WHERE {place}(CAST(token_usage AS text), 'cache_') > 0 "
        f"OR {place}(CAST(token_usage AS text), 'reasoning_tokens') > 0",
        f"UPDATE {{runs}} SET cache_write_1h_tokens = {least}({counted['cache_write_1h_tokens']}, cache_write_tokens) "
        "WHERE cache_write_tokens > 0",
        "UPDATE {runs} SET total_tokens = input_tokens + output_tokens "
        "WHERE total_tokens <> input_tokens + output_tokens",
    )


def _total_of(count: str) -> str:
    return (
        f"UPDATE {{runs}} SET total_tokens = {count.format('total_tokens')} "
        f"WHERE {count.format('total_tokens')} IS NOT NULL"
    )


_SQLITE_COUNT: Final = "json_extract(token_usage, '$.{}')"
_POSTGRESQL_COUNT: Final = "CAST(token_usage ->> '{}' AS bigint)"

MIGRATION: Final = Migration(
    version=6,
    name="token_parts",
    up={
        Dialect.SQLITE: (
            *(f"ALTER TABLE {{runs}} ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0" for column in _COLUMNS),
            *_filled(_SQLITE_COUNT, "min", "instr"),
        ),
        Dialect.POSTGRESQL: (
            f"ALTER TABLE {{runs}} {', '.join(f'ADD COLUMN {name} bigint NOT NULL DEFAULT 0' for name in _COLUMNS)}",
            *_filled(_POSTGRESQL_COUNT, "LEAST", "strpos"),
        ),
    },
    down={
        Dialect.SQLITE: (_total_of(_SQLITE_COUNT), *_DROPPED),
        Dialect.POSTGRESQL: (_total_of(_POSTGRESQL_COUNT), *_DROPPED),
    },
)
