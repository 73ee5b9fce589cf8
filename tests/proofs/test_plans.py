"""What the ports ask is answered through an index, and a later page costs no more than the first, on every database."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from bare import ask
from questions import LOG, MANY, OF_ONE, OTHERS, PAGES, PRUNING
from seeded import new_store  # noqa: F401  a fixture
from statements import Step, note_statements, plan_of, work_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from seeded import NewStore
    from statements import Sent

    import asm_core as asm

FACTOR = 5
"""Large enough that PostgreSQL finds an index worth its while."""
ON_SQLITE = {
    LOG: "sqlite_autoindex_asm_events_2",
    "asm_events_pkey": "sqlite_autoindex_asm_events_1",
    "asm_sessions_pkey": "sqlite_autoindex_asm_sessions_1",
    "asm_runs_pkey": "sqlite_autoindex_asm_runs_1",
    "asm_artifacts_key_key": "sqlite_autoindex_asm_artifacts_2",
    "asm_state_pkey": "sqlite_autoindex_asm_state_1",
}
DEEP = {"search_sessions": 60, "search_runs": 100, "search_events": 3_000}
"""How many items lie before a later page."""

Plans = dict[str, list[Step]]


def goes_on(plan: list[Step]) -> bool:
    """Return whether it begins after the last part of a key."""
    return any(re.search(r"(\b(session_)?id|sequence_number)\)? ?[<>]", step.begins) for step in plan)


def index_names(url: str, indexes: tuple[str, ...]) -> set[str]:
    return {ON_SQLITE.get(index, index) if url.startswith("sqlite:") else index for index in indexes}


@pytest.fixture(scope="module")
def stores(new_store: NewStore) -> Callable[[str], str]:  # noqa: F811  the fixture
    @cache
    def made(kind: str) -> str:
        database, _, knows = kind.partition(" without ")
        return new_store(database, FACTOR, analyze=not knows)

    return made


# Hardly anybody runs ANALYZE on SQLite; PostgreSQL does so itself.
@pytest.fixture(params=["sqlite", "sqlite without statistics", "postgresql"])
def url(request: pytest.FixtureRequest, stores: Callable[[str], str]) -> str:
    return stores(request.param)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    return note_statements(monkeypatch)


@pytest.fixture
def backend(open_backend: Callable[..., asm.Backend], url: str) -> Iterator[asm.Backend]:
    # Of a statement that is prepared, no more than its name would be sent.
    with open_backend(**{} if url.startswith("sqlite:") else {"prepare_threshold": 0}) as opened:
        yield opened


@pytest.fixture
def asked(sent: Sent, backend: asm.Backend) -> Callable[[str], Sent]:
    """Return what asks a question, or for a later page of a listing, and tells what was sent for it."""

    def ask(what: str) -> Sent:
        if what in PAGES:
            pages = PAGES[what]
            cursor = pages.page(backend, limit=DEEP[pages.method]).cursor
            assert cursor is not None
        sent.clear()
        PAGES[what].page(backend, cursor=cursor) if what in PAGES else OTHERS[what].ask(backend)
        return list(sent)

    return ask


@pytest.fixture
def plans(
    request: pytest.FixtureRequest, url: str, backend_name: str, known: dict[tuple[str, str], Plans]
) -> Callable[[], Plans]:
    """Return what tells the plans of all questions, by name; they are made once for a module."""

    def all_plans() -> Plans:
        if (url, backend_name) not in known:
            asked = request.getfixturevalue("asked")
            known[url, backend_name] = {what: plan_of(url, asked(what)) for what in (*PAGES, *OTHERS)}
        return known[url, backend_name]

    return all_plans


@pytest.fixture(scope="module")
def known() -> dict[tuple[str, str], Plans]:
    return {}


def test_an_index_answers_every_question(url: str, plans: Callable[[], Plans]) -> None:
    def answered(what: str, plan: list[Step]) -> bool:
        wanted = (PAGES[what].index,) if what in PAGES else OTHERS[what].indexes
        return not index_names(url, wanted).isdisjoint(step.index for step in plan)

    assert {what: plan for what, plan in plans().items() if not answered(what, plan)} == {}


def test_no_table_is_gone_through_row_by_row(plans: Callable[[], Plans]) -> None:
    whole = {what: question.whole for what, question in (PAGES | OTHERS).items()}
    scans = {what: [step for step in plan if step.scans] for what, plan in plans().items()}
    assert {what: steps for what, steps in scans.items() if {step.scans for step in steps} - {*whole[what]}} == {}


def test_no_page_is_sorted(plans: Callable[[], Plans]) -> None:
    assert {what: plan for what, plan in plans().items() if what in PAGES and any(step.sorts for step in plan)} == {}


def test_a_later_page_begins_where_the_one_before_ended(plans: Callable[[], Plans]) -> None:
    assert {what: plan for what, plan in plans().items() if what in PAGES and not goes_on(plan)} == {}


@pytest.mark.parametrize("what", PRUNING)
def test_a_later_batch_of_pruning_begins_where_the_one_before_ended(
    url: str, backend: asm.Backend, sent: Sent, what: str
) -> None:
    PRUNING[what].ask(backend)
    batches = [plan_of(url, [one]) for one in [*sent] if "asm_events" in str(one[0]) and "LIMIT" in str(one[0])]
    (index,) = index_names(url, PRUNING[what].indexes)
    first = [plan for plan in batches if not goes_on([step for step in plan if step.index == index])]
    # Certain types go first, and then all others, from the beginning.
    assert len(first) <= 2 <= len(batches) - 3, first
    # The last ones may be found and sorted.
    assert not [plan for plan in batches if any((step.sorts or 0) > 2 * OF_ONE.batch_size for step in plan)]


def test_a_later_page_takes_no_more_work_than_the_first(
    url: str, backend: asm.Backend, sent: Sent, asked: Callable[[str], Sent]
) -> None:
    works = {}
    for what, pages in PAGES.items():
        later = work_of(url, asked(what))
        sent.clear()
        pages.page(backend)
        works[what] = later, work_of(url, sent)
    assert {what: work for what, work in works.items() if work[0] > 1.5 * work[1] + 5} == {}


def test_a_page_of_namespaces_takes_no_more_work_than_as_many_records(
    url: str, sent: Sent, asked: Callable[[str], Sent]
) -> None:
    page = work_of(url, asked("namespaces"))
    sent.clear()
    assert page <= 3 * (MANY + 1) * max(work_of(url, asked("a record")), 1)


def test_no_index_is_there_for_nothing(url: str, plans: Callable[[], Plans]) -> None:
    listed = "SELECT name FROM sqlite_master WHERE type = 'index'"
    if not url.startswith("sqlite:"):
        listed = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"
    used = {step.index for plan in plans().values() for step in plan}
    made = {name for (name,) in ask(url, listed) if name.startswith("asm_") and not name.endswith("_pkey")}
    assert made - used == set()
