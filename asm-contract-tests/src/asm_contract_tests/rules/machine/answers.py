"""What calls answer, in a shape that can be compared exactly."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from asm_contract_tests.rules.machine.calls import KEYS, Call
from asm_contract_tests.rules.machine.records import NAMESPACES
from asm_core import AsmError, Backend, Page, RetentionPolicy, SessionStore
from asm_core.models.event import REDACTED_KEY

_UNCOMPARED: Final = frozenset({"duration_ms", "erasure_pending"})
"""Fields that say how a medium did something, such as a file from which old pages must go."""
_MOST: Final = 500
_BEGAN: Final = datetime.now(UTC)


def answer(backend: Backend, archive: SessionStore, call: Call) -> Any:
    """Return what a backend answers, or the kind of error it raises."""
    method = getattr(getattr(backend, call.port), call.method)
    arguments = dict(call.arguments)
    if "policy" in arguments:
        arguments["policy"] = _policy(arguments["policy"], archive)
    try:
        found = method(**arguments)
        if isinstance(found, Iterator):
            found = list(islice(found, _MOST))
        if isinstance(found, Page):
            found = list(islice(_pages(method, arguments, found), _MOST))
    except AsmError as error:
        return type(error).__name__
    return shape(found)


def dump(backend: Backend) -> Any:
    """Return all that is stored."""
    query = backend.query_api
    sessions = query.search_sessions(include_deleted=True, order_by="created_at_asc").items
    return shape(
        [
            [query.export_session(session.id, include_artifacts=True) for session in sessions],
            [backend.artifact_registry.get_by_key(key) for key in KEYS],
            backend.maintenance.health_check(),
        ]
    )


def empty(backend: Backend) -> None:
    """Remove all that the machine stored."""
    for session in backend.query_api.search_sessions(include_deleted=True, limit=1000):
        backend.session_store.delete_session(session.id)
    for key in KEYS:
        backend.artifact_registry.delete(key)
    for namespace in NAMESPACES:
        backend.state_store.delete_all(namespace)
    backend.maintenance.execute(RetentionPolicy(hard_delete_after_days=0))


def shape(value: Any) -> Any:
    """Return a value as plain lists and texts that distinguish types, the order of keys, and 1, 1.0 and True.

    Times of the last minutes are those at which the store deleted something; two stores never agree on them.
    """
    if hasattr(value, "__struct_fields__"):
        fields = [(name, shape(getattr(value, name))) for name in value.__struct_fields__ if name not in _UNCOMPARED]
        return [type(value).__name__, *fields]
    if isinstance(value, dict):
        return ["dict", *((shape(key), shape(key == REDACTED_KEY or item)) for key, item in value.items())]
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(shape, value)]
    if isinstance(value, Decimal):
        return f"Decimal {value.normalize():f}"
    if isinstance(value, datetime):
        return "just now" if value >= _BEGAN else value.isoformat()
    return repr(value)


def _policy(fields: dict[str, Any], archive: SessionStore) -> RetentionPolicy:
    fields = dict(fields)
    if fields.pop("archive", False):
        fields.update(archive_before_prune=True, archive_store=archive)
    return RetentionPolicy(**fields)


def _pages(method: Any, arguments: dict[str, Any], page: Page[Any]) -> Iterator[Page[Any]]:
    yield page
    while page.cursor is not None:
        page = method(**arguments, cursor=page.cursor)
        yield page
