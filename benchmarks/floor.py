"""The floor on SQLite: the driver alone, the best SQL known to us, the same columns, indexes and pragmas."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from asm_core.sql import Dialect, ddl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_COLUMNS = "id, session_id, sequence_number, type, timestamp, run_id, data, metadata, schema_version"
_RAISE = (
    "INSERT INTO asm_session_sequences (session_id, last_sequence, updated_at) VALUES (?, ?, ?) "
    "ON CONFLICT (session_id) DO UPDATE SET last_sequence = last_sequence + excluded.last_sequence, "
    "updated_at = excluded.updated_at RETURNING last_sequence"
)
_ROWS = 100


class Floor:
    """Appends to and reads the log of one session."""

    def __init__(self, path: Path) -> None:
        """Make a database at `path`, with one session."""
        self.connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            self.connection.execute(f"PRAGMA {pragma}")
        for statement in ddl(Dialect.SQLITE):
            self.connection.execute(statement)
        self.connection.execute(
            "INSERT INTO asm_sessions (id, agent_id, status, metadata, context, tags, created_at, updated_at) "
            "VALUES ('s', 'a', 'active', '{}', '{}', '[]', '2026-01-01', '2026-01-01')"
        )

    def append(self, payloads: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
        """Append an event for each payload, in one transaction; return the rows."""
        execute = self.connection.execute
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        execute("BEGIN IMMEDIATE")
        last = execute(_RAISE, ("s", len(payloads), now)).fetchone()[0]
        rows = [
            (f"evt_{uuid4().hex}", "s", number, "message_streamed", now, "r", json.dumps(payload), "{}", 1)
            for number, payload in enumerate(payloads, last - len(payloads) + 1)
        ]
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(part))
            insert = f"INSERT INTO asm_events ({_COLUMNS}) VALUES {places} ON CONFLICT (id) DO NOTHING"
            execute(insert, list(chain.from_iterable(part)))
        execute("COMMIT")
        return rows

    def read(self) -> list[dict[str, Any]]:
        """Read the whole log as plain objects."""
        rows = self.connection.execute(
            f"SELECT {_COLUMNS}, provider, correlation_id FROM asm_events "
            "WHERE session_id = 's' ORDER BY sequence_number"
        )
        return [
            {
                "id": row[0],
                "session_id": row[1],
                "sequence_number": row[2],
                "type": row[3],
                "timestamp": datetime.fromisoformat(row[4]),
                "run_id": row[5],
                "data": json.loads(row[6]),
                "metadata": json.loads(row[7]),
                "schema_version": row[8],
                "provider": row[9],
                "correlation_id": row[10],
            }
            for row in rows
        ]


def read_lines(command: Sequence[str]) -> int:
    """Run a command into a pipe, read that line by line, and return how many lines came."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        return sum(1 for _ in child.stdout or ())
