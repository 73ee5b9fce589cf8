"""A session as listings show it: with its statistics and its last run."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from asm_core.cli.output.styles import ATTENTION
from asm_core.cli.output.text import age, dollars, duration
from asm_core.models import Run, RunStatus, Session
from asm_core.querying.accounting.summaries import SessionStats
from asm_core.querying.queries import SESSION_ORDERS, SessionQuery

if TYPE_CHECKING:
    from datetime import timedelta

    from asm_core.ports import Backend

_STYLES: Final = {
    "completed": "green",
    "failed": "bold red",
    "timeout": "bold red",
    "cancelled": ATTENTION,
    "active": "cyan",
    "running": "cyan",
}


def status_style(column: str, cell: str) -> str:
    """Return the style of a cell."""
    if column == "id":
        return "bold"
    if column == "exit":
        return "" if cell in {"0", "-"} else "bold red"
    if column != "status":
        return ""
    return "dim" if "(deleted)" in cell else _STYLES.get(cell.partition(" ")[0], "")


def active_at(backend: Backend, session: Session) -> datetime:
    """Return the time of the last activity of a session."""
    query = SessionQuery(ids=(session.id,), include_deleted=True, order=SESSION_ORDERS["active_at_desc"])
    for found in backend.query_api.reader.find_active(query):
        return found.active_at
    return session.created_at


class Listed(msgspec.Struct, frozen=True):
    """A session in a listing.

    Attributes:
        run: the run that started last; None if there is none.
    """

    session: Session
    active_at: datetime
    stats: SessionStats
    run: Run | None

    @classmethod
    def read(cls, backend: Backend, session: Session, stats: SessionStats) -> Self:
        """Read what the statistics do not have."""
        last = backend.query_api.search_runs(session_id=session.id, order_by="started_at_desc", limit=1)
        return cls(session, active_at(backend, session), stats, last.items[0] if last.items else None)

    @property
    def command(self) -> str:
        """The command of the last run, as a shell takes it; empty if it ran none."""
        words = (self.run.input or {}).get("command") if self.run else None
        return shlex.join(map(str, words)) if isinstance(words, list) else ""

    @property
    def exit_code(self) -> int | None:
        """The exit status of the last run's command."""
        if self.run is None:
            return None
        error = (self.run.error or {}).get("details")
        found = (self.run.output or error or {}).get("exit_code") if isinstance(error, dict | None) else None
        return found if isinstance(found, int) else None

    @property
    def duration(self) -> timedelta | None:
        """The time from the session's creation to the end of its last run, or until now while that is running."""
        if self.run is None or self.run.started_at is None:
            return None
        end = self.run.ended_at or (datetime.now(UTC) if self.run.status == RunStatus.RUNNING else None)
        return None if end is None else end - min(self.session.created_at, self.run.started_at)

    def cells(self) -> dict[str, str]:
        """Return the cells of a table by column."""
        session, stats = self.session, self.stats
        cost = stats.cost_usd if stats.run_count else None
        return {
            "id": session.id,
            "agent": session.agent_id,
            "user": session.user_id or "",
            "title": session.title or "",
            "command": self.command,
            "status": f"{session.status} (deleted)" if session.deleted_at else str(session.status),
            "exit": "-" if self.exit_code is None else str(self.exit_code),
            "runs": str(stats.run_count),
            "events": str(stats.event_count),
            "tokens": str(stats.total_tokens) if stats.total_tokens or cost is not None else "-",
            "cost": dollars(cost),
            "duration": duration(self.duration),
            "age": age(session.created_at),
            "active": age(self.active_at),
        }

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        stats = self.stats
        return {
            **self.session.to_dict(),
            "active_at": self.active_at,
            "command": self.command or None,
            "exit_code": self.exit_code,
            "duration_seconds": None if self.duration is None else self.duration.total_seconds(),
            "runs": stats.run_count,
            "runs_by_status": stats.runs_by_status,
            "events": stats.event_count,
            "input_tokens": stats.input_tokens,
            "output_tokens": stats.output_tokens,
            "total_tokens": stats.total_tokens,
            "cost_usd": stats.cost_usd,
            "unpriced_runs": stats.unpriced_run_count,
        }
