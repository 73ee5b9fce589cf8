"""Keys of the SDK as ids, tags and metadata of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core.integrating import composed_id, escape_payload, restore_payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asm_core import Session

KIND: Final = "claude"
"""How the ids of sessions begin."""

KEY: Final = "claude_key"
"""The metadata key of a session for its key in the SDK."""


def parts_of(key: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parts of a key: project, session and, of a subagent's transcript, its path."""
    subpath = key.get("subpath")
    return (key["project_key"], key["session_id"], *((subpath,) if subpath is not None else ()))


def session_id(parts: tuple[str, ...]) -> str:
    """Return the id of the session for a transcript.

    >>> session_id(("-home-ada", "1234", "subagents/agent-1"))
    'claude:-home-ada:1234:subagents/agent-1'
    """
    return composed_id(KIND, *parts)


def project_tag(project_key: str) -> str:
    """Return the tag of the main transcripts of a project."""
    return composed_id("claude-project", project_key)


def stored_parts(session: Session) -> tuple[str, ...] | None:
    """Return the parts of the key of a stored session; None if it is no transcript, such as a fork of one."""
    parts = restore_payload(session.metadata.get(KEY))
    if not isinstance(parts, list) or session_id(tuple(parts)) != session.id:
        return None
    return tuple(parts)


def key_metadata(parts: tuple[str, ...]) -> dict[str, Any]:
    """Return the metadata that `stored_parts` reads."""
    return {KEY: escape_payload(list(parts))}
