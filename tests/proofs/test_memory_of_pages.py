"""What a page takes in memory does not grow with the tables, and both databases give the same answers."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from questions import OTHERS, PAGES
from seeded import new_store  # noqa: F401  a fixture
from seeding import LONG

import asm_core as asm
from asm_contract_tests.rules.query_api.bounded import peak
from asm_core.querying.pages import all_items
from asm_core.transfer import dump_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from seeded import NewStore

SMALL: Final = 0.25
"""A quarter of the smallest size; what is compared with it is four times as large, or `--soak` times four."""


class Nowhere(io.RawIOBase):
    """A file that keeps nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


CALLS: Final[dict[str, Callable[[asm.Backend], Any]]] = {
    **{f"a page of {what}": lambda b, pages=pages: pages.page(b, limit=20) for what, pages in PAGES.items()},
    "a list of sessions": lambda b: b.session_store.list_sessions(limit=20),
    "a list of sessions after many": lambda b: b.session_store.list_sessions(limit=20, offset=60),
    "a list of runs": lambda b: b.session_store.list_runs(LONG, limit=20),
    "the first of a log": lambda b: b.session_store.get_events(LONG, limit=20),
    "the last of a log": lambda b: b.session_store.get_events(LONG, after=900, limit=20),
    "usage": lambda b: b.query_api.get_usage_summary(),
    "costs": lambda b: b.query_api.get_cost_summary(),
    "a session in numbers": lambda b: b.query_api.get_session_stats(LONG),
    "how many events there are": lambda b: b.query_api.count_events(),
    "all pages, one after the other": lambda b: sum(1 for _ in all_items(b.query_api.search_runs, limit=50)),
    "a log that is followed": lambda b: sum(1 for _ in b.session_store.follow_events(LONG, idle_timeout=0.0)),
    "an export to a file": lambda b: dump_session(b, LONG, Nowhere()),  # type: ignore[arg-type]
    "health": lambda b: b.maintenance.health_check(),
    "a dry run": lambda b: b.maintenance.execute(
        asm.RetentionPolicy(max_events_per_session=100, batch_size=5), dry_run=True
    ),
}
ROOM: Final = {"an export to a file": 4 << 20, "a dry run": 1 << 20}
"""Bytes beyond the ordinary. Up to so many an export holds of the runs before it puts them into a temporary file; of
thousands of statements garbage is left that waits for Python's collector."""


@pytest.fixture(scope="module")
def stores(new_store: NewStore) -> Callable[[str, float], str]:  # noqa: F811  the fixture
    return cache(new_store)


def test_what_is_not_returned_is_not_held(
    stores: Callable[[str, float], str], backend_name: str, database: str, soak: int
) -> None:
    peaks: dict[str, list[int]] = {what: [] for what in CALLS}
    for factor in (SMALL, max(4 * SMALL, float(soak))):
        with asm.open_backend(backend_name, url=stores(database, factor)) as backend:
            for what, call in CALLS.items():
                peaks[what].append(peak(lambda call=call: call(backend), tries=1))  # type: ignore[misc]
    grown = {
        what: (small, large) for what, (small, large) in peaks.items() if large > 1.5 * small + ROOM.get(what, 50_000)
    }
    assert grown == {}


def test_both_databases_give_the_same_answers(
    stores: Callable[[str, float], str], backend_name: str, soak: int
) -> None:
    answers: list[dict[str, Any]] = []
    for database in ("sqlite", "postgresql"):
        with asm.open_backend(backend_name, url=stores(database, max(4 * SMALL, float(soak)))) as backend:
            pages = {what: pages.page(backend, limit=100) for what, pages in PAGES.items()}
            later = {f"more {what}": PAGES[what].page(backend, cursor=page.cursor) for what, page in pages.items()}
            others = {what: question.ask(backend) for what, question in OTHERS.items()}
            answers.append({**pages, **later, **others})
    assert answers[0] == answers[1]
