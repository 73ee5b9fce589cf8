"""What a session of the store has, in its metadata, of the framework's session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asm_core.integrating import readable, restore_payload
from google_adk_asm.keys import KIND, Key
from google_adk_asm.values import storable

if TYPE_CHECKING:
    from asm_core import Session

_STATE = "adk_state"


class Head(NamedTuple):
    """The session of the framework, without its events."""

    key: Key
    state: dict[str, Any]
    last_update_time: float
    sequence: int = 0
    """The number of the last event of the framework; 0 if there is none yet."""

    last_event: str | None = None
    """Its id in the framework."""

    last_run: str | None = None
    """The run of it."""

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the session."""
        fields = self._asdict()
        state = fields.pop("state")
        return {KIND: storable({**fields, "key": list(self.key)}), _STATE: storable(state)}


def head_of(session: Session) -> Head | None:
    """Return what the metadata has; None if the session is deleted, a fork, or none of the framework."""
    stored = session.metadata.get(KIND)
    if stored is None or session.deleted_at is not None:
        return None
    fields = dict(restore_payload(stored))
    key = Key(*fields.pop("key"))
    if key.stored_id != session.id:
        return None
    return Head(key=key, state=restore_payload(session.metadata[_STATE]), **fields)


def marker_of(session: Session, head: Head) -> str:
    """Return what changes with each append, and differs if a session is created again."""
    return f"{session.created_at.isoformat()}/{head.sequence}"


def title_of(text: str) -> str | None:
    """Return the beginning of a text as the title of a session."""
    words = " ".join(text.replace("\0", " ").split())
    title: str = readable(words[:80])
    return title or None
