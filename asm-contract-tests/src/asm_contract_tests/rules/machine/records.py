"""Calls of the state store, as Hypothesis draws them, and the questions that are asked of it in the end."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from asm_contract_tests.making import a_record
from asm_contract_tests.rules.machine.calls import TIMES, Call, bodies, calls, revisions

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACES: Final = ("n", "N", "né")
PLACES: Final = ("k", "kl", "K", "é")
_PREFIXES: Final = ("", "k", "n", "N", "é")
_EXPIRIES: Final = (None, None, TIMES[0], datetime(2999, 1, 1, tzinfo=UTC))
"""Never, already, and not while the test runs."""

_namespaces = st.sampled_from(NAMESPACES)
_places = st.sampled_from(PLACES)
_prefixes = st.sampled_from(_PREFIXES)
_expected = st.sampled_from([None, None, 1, 2])
_values = bodies | st.sampled_from([None, True, 1, 1.0, "\0", [1]])
_expiries = st.sampled_from(_EXPIRIES)
_what = {"namespace": _namespaces, "key": _places, "value": _values}
_copies = st.builds(a_record, **_what, revision=st.integers(1, 3), expires_at=_expiries)

keepings: st.SearchStrategy[Call] = st.one_of(
    calls("state_store", "put", **_what),
    calls("state_store", "put", **_what, expires_at=_expiries),
    calls("state_store", "put", **_what, expected_revision=revisions, expires_at=_expiries),
    calls("state_store", "restore", record=_copies, expected_revision=st.integers(0, 2)),
    calls("state_store", "delete", namespace=_namespaces, key=_places, expected_revision=_expected),
    calls("state_store", "delete_all", namespace=_namespaces, prefix=_prefixes),
    calls("maintenance", "clean_expired_records"),
)
"""What changes records of state."""
recollections: st.SearchStrategy[Call] = st.one_of(
    calls("state_store", "get", namespace=_namespaces, key=_places),
    calls("state_store", "list", namespace=_namespaces, prefix=_prefixes, limit=st.integers(1, 3)),
    calls("state_store", "list_namespaces", prefix=_prefixes, limit=st.integers(1, 3)),
)
"""What reads them."""
on_records: st.SearchStrategy[list[Call]] = st.lists(keepings | recollections, min_size=1, max_size=4)


def survey_of_records() -> Iterator[Call]:
    """Yield calls that read all records."""
    for namespace, place in product(NAMESPACES, PLACES):
        yield Call("state_store", "get", {"namespace": namespace, "key": place})
    for namespace, prefix in product(NAMESPACES, _PREFIXES):
        yield Call("state_store", "list", {"namespace": namespace, "prefix": prefix, "limit": 2})
    for prefix in _PREFIXES:
        yield Call("state_store", "list_namespaces", {"prefix": prefix, "limit": 1})
