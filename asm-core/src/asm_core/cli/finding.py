"""Lookup of sessions by a prefix of their id."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from asm_core.cli.output.text import moment
from asm_core.errors import AsmError, NotFoundError, SessionNotFoundError
from asm_core.escaping import short_repr
from asm_core.querying.pages import all_items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.models import Session
    from asm_core.ports import Backend

_PREFIX = re.compile(r"ses_([0-9a-f]{12})")
_SLACK = timedelta(minutes=1)
_PAGE = 500
_MOST_SHOWN = 10


class AmbiguousIdError(AsmError):
    """Several session ids have this prefix."""

    code = "ambiguous_id"


def find_session(backend: Backend, prefix: str) -> Session:
    """Return the session with this id, or the only one whose id begins with `prefix`; soft-deleted sessions count.

    The first 12 hex digits of an id are its creation time. A prefix that has them is looked up by that time; a shorter
    one by paging through all sessions, newest first.

    Raises:
        SessionNotFoundError: no session matches.
        AmbiguousIdError: several sessions match.
    """
    try:
        return backend.session_store.get_session(prefix)
    except SessionNotFoundError:
        pass
    window = _window(prefix)
    found = _matching(backend, prefix, **window) if window else []
    found = found or _matching(backend, prefix)
    if not found:
        message = f"No session id begins with {short_repr(prefix)}. `asm sessions --all --deleted` lists all."
        raise NotFoundError(message, details={"session_id": prefix})
    if len(found) > 1:
        raise _ambiguous(prefix, found)
    return found[0]


def _window(prefix: str) -> dict[str, datetime]:
    found = _PREFIX.match(prefix)
    if found is None:
        return {}
    try:
        made_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(found[1], 16))
        return {"created_after": made_at - _SLACK, "created_before": made_at + _SLACK}
    except OverflowError:  # a time after the year 9999: an id that the application chose
        return {}


def _matching(backend: Backend, prefix: str, **window: datetime) -> list[Session]:
    sessions = all_sessions(backend, include_deleted=True, **window)
    return list(itertools.islice((one for one in sessions if one.id.startswith(prefix)), _MOST_SHOWN + 1))


def all_sessions(backend: Backend, **filters: Any) -> Iterator[Session]:  # the filters of search_sessions
    """Yield sessions, newest first, page by page."""
    return all_items(backend.query_api.search_sessions, order_by="created_at_desc", limit=_PAGE, **filters)


def _ambiguous(prefix: str, found: list[Session]) -> AmbiguousIdError:
    candidates = [one.id for one in found[:_MOST_SHOWN]]
    error = AmbiguousIdError(
        f"Several session ids begin with {short_repr(prefix)}. Give more digits of one:",
        details={"candidates": candidates},
    )
    for one in found[:_MOST_SHOWN]:
        error.add_note(f"{one.id}  {one.agent_id}  {moment(one.created_at)}")
    if len(found) > _MOST_SHOWN:
        error.add_note("…")
    return error
