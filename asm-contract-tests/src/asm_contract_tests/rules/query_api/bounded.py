"""Memory of pages."""

from __future__ import annotations

import tracemalloc
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_event, at
from asm_contract_tests.rules.query_api.listings import LISTINGS
from asm_core import Capability

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core import Backend

_PAGE = 10
_SMALL, _LARGE = 60, 1_200
_TEXT = {"text": "x" * 500}


class BoundedContract(Contract):
    """The cost of a page does not depend on the size of the store."""

    @pytest.mark.guarantee("G14")
    def test_a_page_takes_as_much_memory_of_a_large_store_as_of_a_small_one(self, backend: Backend) -> None:
        """Look for a listing that is read, or sorted, as a whole and cut to its limit afterwards."""
        calls = _calls(backend)
        _store(backend, range(_SMALL))
        before = {name: peak(call) for name, call in calls.items()}
        _store(backend, range(_SMALL, _LARGE))
        after = {name: peak(call) for name, call in calls.items()}
        grown = {name: (before[name], most) for name, most in after.items() if most > 2 * before[name] + 10_000}
        assert grown == {}, "bytes at the peak, before and after"


def _store(backend: Backend, places: range) -> None:
    store = backend.session_store
    with backend.transaction() if Capability.TRANSACTIONS in backend.capabilities else nullcontext():
        for place in places:
            time, name = at(place % 7), f"{place * 7919 % _LARGE:05}"
            store.save_session(a_session(id=name, metadata=_TEXT, created_at=time, updated_at=time))
            usage = {"output_tokens": place % 7}
            store.save_run(a_run("00000", id=name, metadata=_TEXT, started_at=time, token_usage=usage))
        store.append_events(an_event("00000", data=_TEXT, timestamp=at(place % 7)) for place in places)


def _calls(backend: Backend) -> dict[str, Callable[[], Any]]:
    def page(listing: Any) -> Callable[[], Any]:
        return lambda: listing.page(backend.query_api, limit=_PAGE)

    store = backend.session_store
    return {
        **{f"{listing.method} {listing.order}": page(listing) for listing in LISTINGS},
        "list_sessions": lambda: store.list_sessions(limit=_PAGE),
        "list_runs": lambda: store.list_runs("00000", limit=_PAGE),
        "get_events": lambda: store.get_events("00000", limit=_PAGE),
    }


def peak(call: Callable[[], Any], *, tries: int = 3) -> int:
    """Return the peak memory of a call in bytes: the least of a few tries, because other threads allocate too."""
    call()  # warm up: create cached objects now
    traced = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        return min(_peak_of_once(call) for _ in range(tries))
    finally:
        if not traced:
            tracemalloc.stop()


def _peak_of_once(call: Callable[[], Any]) -> int:
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    call()
    _, peak = tracemalloc.get_traced_memory()
    return peak - before
