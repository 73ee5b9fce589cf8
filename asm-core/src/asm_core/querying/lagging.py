"""A reader of a replica, which may lag."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from asm_core.models import StoredEvent
    from asm_core.querying.heads import Head
    from asm_core.querying.queries import EventQuery


class LaggingReader(ABC):
    """Reads logs from a replica, for followers. Each method returns None if the replica does not answer."""

    @abstractmethod
    def find_events(self, query: EventQuery) -> list[StoredEvent] | None:
        """Return the events that match `query`."""

    @abstractmethod
    def load_heads(self, session_ids: Collection[str]) -> dict[str, Head] | None:
        """Return the head of each session's log; unknown sessions are left out."""
