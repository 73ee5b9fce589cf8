"""The head of a session's log."""

from __future__ import annotations

from typing import Final, NamedTuple


class Head(NamedTuple):
    """The end of a session's log, and the identity of the log.

    Attributes:
        last_sequence: the last sequence number; 0 before the first event.
        log_id: the random id of the log, created with the session; None if the session has no counter yet.
        updated_at: a value that differs after each append, so that a log that was set back and has grown to the same
            number is detected; None if the store has no such value.
    """

    last_sequence: int
    log_id: str | None
    updated_at: object = None


GONE: Final = Head(-1, None)
"""The head of a session that is not stored."""
