"""Row locks on several sessions, always in the order of their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words


def lock_rows(execute: Execute, words: Words, sql: str, session_ids: Iterable[str]) -> list[Any]:
    """Execute a statement that locks rows of sessions, whose ids are its only parameter; return its rows.

    A distributed PostgreSQL locks rows of one session at a time, so there the statement is executed for each.
    """
    ids, encode = list(session_ids), words.codec.encode_several
    if not words.singly:
        return execute(sql, (encode(ids),)).fetchall()
    return [row for one in sorted(ids) for row in execute(sql, (encode([one]),)).fetchall()]
