"""Copies of sessions from the framework's own SQLite store."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core import ValidationError
from asm_core.integrating import composed_id
from openai_agents_asm.log import Log
from openai_agents_asm.session import new_session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core import Backend, Event

_BATCH: Final = 500
_NAME: Final = re.compile(r"\w+")


def copy_sqlite_sessions(
    path: str | Path,
    backend: Backend,
    *,
    agent_id: str = "openai-agents",
    sessions_table: str = "agent_sessions",
    messages_table: str = "agent_messages",
) -> int:
    """Copy all sessions of a database that the framework's `SQLiteSession` made; return the number of sessions.

    Items keep their order and times. What is copied already is not copied twice, so an interrupted call can be
    repeated. Items that are no JSON are omitted, as the framework omits them. The database is only read.

    Args:
        path: the database file.
        backend: an open backend, with its newest schema.
        agent_id: the agent of the sessions.
        sessions_table: the framework's table of sessions.
        messages_table: the framework's table of items.
    """
    for table in (sessions_table, messages_table):
        if not _NAME.fullmatch(table):
            message = f"{table!r} is no name of a table. Give it as it was given to SQLiteSession."
            raise ValidationError(message)
    with contextlib.closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as source:
        sessions = source.execute(f"SELECT session_id, created_at FROM {sessions_table} ORDER BY rowid").fetchall()  # noqa: S608
        for session_id, created_at in sessions:
            rows = source.execute(
                f"SELECT id, message_data, created_at FROM {messages_table} WHERE session_id = ? ORDER BY id",  # noqa: S608
                (session_id,),
            )
            log = Log(backend, session_id, partial(new_session, agent_id=agent_id, session_id=session_id))
            _copy(log, rows, _time(created_at))
    return len(sessions)


def _copy(log: Log, rows: Iterable[tuple[int, str, str]], created_at: datetime) -> None:
    batch: list[Event] = []
    for number, text, added_at in rows:
        try:
            item: Any = json.loads(text)
        except (ValueError, TypeError):
            continue
        event = log.events([item])[0]
        copied_id = composed_id("evt", log.id, "sqlite", str(number))
        batch.append(msgspec.structs.replace(event, id=copied_id, timestamp=_time(added_at)))
        if len(batch) == _BATCH:
            log.append(batch, at=created_at)
            batch = []
    log.append(batch, at=created_at)


def _time(text: str) -> datetime:
    """Return the time of SQLite's ``CURRENT_TIMESTAMP``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
