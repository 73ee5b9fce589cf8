"""Ids and names of the store for those of the framework, which are unique in one app, or for one user, only."""

from __future__ import annotations

from typing import Final, NamedTuple

from asm_core.integrating import composed_id

KIND: Final = "adk"
"""How ids begin; also the tag of sessions, and the key of their metadata."""


class Key(NamedTuple):
    """What identifies a session in the framework."""

    app_name: str
    user_id: str
    session_id: str

    @property
    def stored_id(self) -> str:
        """The id of the session in the store."""
        return composed_id(KIND, *self)

    def event_id(self, event_id: str, index: int) -> str:
        """Return the id of the event for one part of the framework's event."""
        return composed_id(f"{KIND}.event", *self, event_id, str(index))

    def run_id(self, invocation_id: str) -> str | None:
        """Return the id of the run for an invocation, or None if there is none."""
        return composed_id(f"{KIND}.run", *self, invocation_id) if invocation_id else None


def name_of(text: str) -> str:
    """Return the agent or user of the store for an app or a user: the text itself, if it is a valid name."""
    composed = composed_id(KIND, text)
    # A text that no name refuses is composed to itself.
    is_plain = text and composed == f"{KIND}:{text}" and not text.startswith(f"{KIND}:")
    return text if is_plain else composed
