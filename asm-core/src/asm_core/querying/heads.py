"""Where a session's log ends."""

from __future__ import annotations

from typing import Final, NamedTuple


class Head(NamedTuple):
    """Where a session's log ends, and which log it is.

    Attributes:
        last_sequence: the last number given out; 0 before the first event.
        log_id: the random id of the log, made with the session; None where the session has no counter yet.
        updated_at: what differs after each append, so that a log that was set back and has grown to the same number is
            noticed; None where the store has no such thing.
    """

    last_sequence: int
    log_id: str | None
    updated_at: object = None


GONE: Final = Head(-1, None)
"""In the place of the head of a session that is not stored."""
