"""What helps a planner that knows too little of the rows."""

from __future__ import annotations

from asm_core.sql import Dialect


def unindexed(column: str, dialect: Dialect) -> str:
    """Return a column whose index is not to be used, on SQLite, which has no statistics unless somebody runs ANALYZE.

    Left to itself it may go through all runs of a status or a provider to find those of one session, or through all
    runs in the order of an index, each looked up by itself, to group them. PostgreSQL knows better.
    """
    # https://www.sqlite.org/optoverview.html, "Disqualifying WHERE Clause Terms Using Unary-+"
    return f"+{column}" if dialect is Dialect.SQLITE else column
