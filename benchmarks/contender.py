"""The contenders of a measurement: the floor and each backend, each on its own database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import asm_core as asm
from asm_core.models import TOKEN_COUNTS

if TYPE_CHECKING:
    from collections.abc import Sequence

SESSION = "ses_measured"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PROVIDERS = ("anthropic", "openai", "google", "mistral", "local")
PAGE = 50

Usage = dict[tuple[str | None, str | None], tuple[int, ...]]
"""Runs, input, output and total tokens, by provider and model."""


class Contender(Protocol):
    """Executes the workloads; events to append are created before the measurement."""

    def facts(self, numbers: Sequence[int], session_id: str = SESSION, *, size: int = 100) -> list[Any]:
        """Return events to append, in whatever form the contender takes them."""

    def append(self, fact: Any) -> Any:
        """Append one event; return it as stored."""

    def append_many(self, facts: list[Any]) -> list[Any]:
        """Append events, all or none; return them as stored."""

    def read(self, session_id: str = SESSION) -> list[Any]:
        """Return the whole log of a session."""

    def read_after(self, number: int, limit: int, session_id: str = SESSION) -> list[Any]:
        """Return events after a number."""

    def read_last(self, limit: int, session_id: str = SESSION) -> list[Any]:
        """Return the last events, the last one first."""

    def page(self, place: Any = None) -> tuple[list[Any], Any]:
        """Return a page of sessions by `updated_at`, and the place where it ends."""

    def usage(self) -> Usage:
        """Return the runs and the sums of `TOKEN_COUNTS`, by provider and model."""

    def close(self) -> None:
        """Close the connections."""


def payload(number: int, size: int = 100) -> dict[str, Any]:
    """Return what an event carries: JSON of about `size` bytes."""
    text = f"word number {number} of an answer that goes on"
    return {"role": "assistant", "content": text.ljust(size - 46, "."), "tokens": number}


def new_event(number: int, session_id: str, size: int) -> asm.Event:
    """Return an event to append."""
    data = payload(number, size)
    return asm.Event.new(type="message_streamed", session_id=session_id, run_id="run_measured", data=data)


def new_session(number: int) -> asm.Session:
    """Return one of many sessions."""
    at = EPOCH + timedelta(seconds=number)
    return asm.Session.new(
        id=f"ses_{number:06}", agent_id=f"agent-{number % 20}", metadata={"number": number},
        context={"system": "Help."}, tags=("measured",), created_at=at, updated_at=at,
    )  # fmt: skip


def new_run(number: int, sessions: int) -> asm.Run:
    """Return one of many runs."""
    usage = {"input_tokens": 100 + number % 900, "cache_read_tokens": number % 100, "output_tokens": number % 500}
    run = asm.Run.new(
        id=f"run_{number:06}", session_id=f"ses_{number % sessions:06}", provider=PROVIDERS[number % len(PROVIDERS)],
        provider_metadata={"model": f"model-{number % 3}"}, started_at=EPOCH + timedelta(seconds=number),
    )  # fmt: skip
    return run.add_token_usage(usage)


class Port:
    """A backend, through its ports alone."""

    def __init__(self, backend: str, url: str, **options: Any) -> None:
        """Open a migrated database."""
        self.name = backend
        self.backend = asm.open_backend(backend, url=url, **options)
        self.store, self.query_api = self.backend.session_store, self.backend.query_api

    def facts(self, numbers: Sequence[int], session_id: str = SESSION, *, size: int = 100) -> list[asm.Event]:
        """Return events to append."""
        return [new_event(number, session_id, size) for number in numbers]

    def append(self, fact: asm.Event) -> asm.Event:
        """Append one event; return it as stored."""
        return self.store.append_event(fact)

    def append_many(self, facts: list[asm.Event]) -> list[asm.Event]:
        """Append events, all or none; return them as stored."""
        return self.store.append_events(facts)

    def read(self, session_id: str = SESSION) -> list[asm.Event]:
        """Return the whole log of a session."""
        return self.store.get_events(session_id)

    def read_after(self, number: int, limit: int, session_id: str = SESSION) -> list[asm.Event]:
        """Return events after a number."""
        return self.store.get_events(session_id, after=number, limit=limit)

    def read_last(self, limit: int, session_id: str = SESSION) -> list[asm.Event]:
        """Return the last events, the last one first."""
        return self.store.get_events(session_id, order="desc", limit=limit)

    def page(self, place: str | None = None) -> tuple[list[asm.Session], str | None]:
        """Return a page of sessions by `updated_at`, and its cursor."""
        page = self.query_api.search_sessions(order_by="updated_at_desc", limit=PAGE, cursor=place)
        return page.items, page.cursor

    def usage(self) -> Usage:
        """Return the runs and the sums of `TOKEN_COUNTS`, by provider and model."""
        return {
            (row.provider, row.model): (row.run_count, *(getattr(row, name) for name in TOKEN_COUNTS))
            for row in self.query_api.get_usage_summary().rows
        }

    def close(self) -> None:
        """Close the connections."""
        self.backend.close()
