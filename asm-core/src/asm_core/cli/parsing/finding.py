"""Lookup of sessions by id, by the beginning or the end of an id, and by their order: ``last``, ``last~1``."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from asm_core.cli.output.text import moment
from asm_core.errors import AsmError, NotFoundError, SessionNotFoundError
from asm_core.escaping import short_repr
from asm_core.querying.pages import all_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asm_core.models import Session
    from asm_core.ports import Backend

NEWEST: Final = "last"
"""The name of the newest session; ``last~1`` is the one before it."""

_BEFORE_LAST = re.compile(rf"{NEWEST}(?:~(\d{{1,9}}))?")
_PREFIX = re.compile(r"ses_([0-9a-f]{12})")
_SLACK = timedelta(minutes=1)
_PAGE = 500
_MOST_SHOWN = 10
_SHORT: Final = 8
"""The characters of a short id. Ids begin with the time, so the end distinguishes them."""


class AmbiguousIdError(AsmError):
    """Several session ids begin or end with this text."""

    code = "ambiguous_id"


def find_session(backend: Backend, name: str = NEWEST) -> Session:
    """Return the session with this id, or the only one whose id begins or ends with `name`.

    ``last`` is the newest session and ``last~N`` the one N before it; these are never soft-deleted sessions, all others
    may be. The first 12 hex digits of an id are its creation time. A prefix that has them is looked up by that time,
    any other part of an id by paging through all sessions, newest first.

    Raises:
        SessionNotFoundError: no session matches.
        AmbiguousIdError: several sessions match.
    """
    try:
        return backend.session_store.get_session(name)
    except SessionNotFoundError:
        pass
    if place := _BEFORE_LAST.fullmatch(name):
        return _before_last(backend, int(place[1] or 0))
    window = _window(name)
    found = _matching(backend, name, **window) if window else []
    found = found or _matching(backend, name)
    if not found:
        message = f"No session id begins or ends with {short_repr(name)}. `asm sessions --all --deleted` lists all."
        raise NotFoundError(message, details={"session_id": name})
    if len(found) > 1:
        raise _ambiguous(name, found)
    return found[0]


def short_ids(sessions: Iterable[Session]) -> list[str]:
    """Return the end of each id: 8 characters, more where two sessions of these would have the same.

    >>> from asm_core.models import Session
    >>> short_ids([Session.new(id=one, agent_id="a") for one in ("ses_1200000001", "ses_1300000001", "mine")])
    ['200000001', '300000001', 'mine']
    """
    ids = [session.id for session in sessions]
    length = _SHORT
    while len({one[-length:] for one in ids}) < len(set(ids)):
        length += 1
    return [one if len(one) <= length + len("ses_") else one[-length:] for one in ids]


def all_sessions(backend: Backend, **filters: Any) -> Iterator[Session]:  # the filters of search_sessions
    """Yield sessions, newest first, page by page."""
    return all_items(backend.query_api.search_sessions, **{"order_by": "created_at_desc", "limit": _PAGE, **filters})


def _before_last(backend: Backend, number: int) -> Session:
    newest = all_sessions(backend, limit=min(number + 1, _PAGE))
    for session in itertools.islice(newest, number, None):
        return session
    count = sum(1 for _ in all_sessions(backend))
    has = f"has {count} sessions" if count else "has no session"
    where = f"{NEWEST}~{number}" if number else NEWEST
    message = f"There is no session {where}: the store {has} (soft-deleted ones are not counted)."
    raise NotFoundError(message, details={"session_id": where})


def _window(prefix: str) -> dict[str, datetime]:
    found = _PREFIX.match(prefix)
    if found is None:
        return {}
    try:
        made_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(found[1], 16))
        return {"created_after": made_at - _SLACK, "created_before": made_at + _SLACK}
    except OverflowError:  # a time after the year 9999: an id that the application chose
        return {}


def _matching(backend: Backend, part: str, **window: datetime) -> list[Session]:
    sessions = all_sessions(backend, include_deleted=True, **window)
    matching = (one for one in sessions if one.id.startswith(part) or one.id.endswith(part))
    return list(itertools.islice(matching, _MOST_SHOWN + 1))


def _ambiguous(part: str, found: list[Session]) -> AmbiguousIdError:
    candidates = [one.id for one in found[:_MOST_SHOWN]]
    error = AmbiguousIdError(
        f"Several session ids begin or end with {short_repr(part)}. Give more of one:",
        details={"candidates": candidates},
    )
    for one in found[:_MOST_SHOWN]:
        error.add_note(f"{one.id}  {one.agent_id}  {moment(one.created_at)}")
    if len(found) > _MOST_SHOWN:
        error.add_note("…")
    return error
