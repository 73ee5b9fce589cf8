"""Redaction of events, and deletion that leaves no copy in the free space of a SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.sql.dialects import Dialect
from asm_core.values.payloads import encode_payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words
    from asm_core.values.payloads import Payload


def overwrite_deleted(execute: Execute, words: Words) -> None:
    """Have SQLite overwrite what this connection deletes; also on a connection that the application opened."""
    if words.dialect is Dialect.SQLITE:
        execute("PRAGMA secure_delete = on").fetchall()


def redact(execute: Execute, words: Words, session_id: str, ids: Sequence[str], *, data: Payload, mark: Payload) -> int:
    """Replace data and metadata of a session's events in the caller's write transaction; return their number.

    Rows are locked in the order of their numbers, as deletions lock them.
    """
    m, locking = words.mark, words.locking("UPDATE")
    chosen = (
        f"SELECT n.sequence_number FROM {words.events} n WHERE n.session_id = {m} AND n.id {words.one_of} "
        f"ORDER BY n.sequence_number{locking}"
    )
    changed = execute(
        f"UPDATE {words.events} AS e SET data = {m}, metadata = {m} "
        f"WHERE e.session_id = {m} AND e.sequence_number IN ({chosen})",
        (
            encode_payload(data),
            encode_payload(mark),
            session_id,
            session_id,
            words.codec.encode_several(list(ids)),
        ),
    )
    return changed.rowcount
