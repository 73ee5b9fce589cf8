"""A schema that is migrated while handles are open: nobody writes half a row, and the error says what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from calls import CALLS, fill
from seeded import new_store  # noqa: F401  a fixture

import asm_core as asm
from asm_contract_tests.making import an_event, days_ago, numbers
from asm_contract_tests.together import begun
from asm_core.querying.pages import all_items
from asm_core.sql import LATEST_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from seeded import NewStore


def outcome(call: Callable[[asm.Backend], Any], backend: asm.Backend) -> type[BaseException] | None:
    """Return the class of the error that a call raises."""
    try:
        call(backend)
    except asm.AsmError as error:
        return type(error)
    return None


SAME_COLUMNS = {6, 8}
"""The versions after which only indexes were added, so that every call still works."""


@pytest.mark.parametrize("version", range(LATEST_VERSION))
def test_an_open_handle_works_or_requires_a_migration(
    backend: asm.Backend, open_backend: Callable[..., asm.Backend], version: int
) -> None:
    fill(backend)
    with open_backend() as other:
        other.migrate(version)
        outcomes = {name: outcome(call, backend) for name, call in CALLS.items()}
        # A call that works may remove what a later one is about.
        assert set(outcomes.values()) <= {None, asm.MigrationRequiredError, asm.SessionNotFoundError}
        assert asm.MigrationRequiredError in outcomes.values() or version in SAME_COLUMNS
        other.migrate()
    fill(backend)
    assert backend.maintenance.health_check() == []


def test_a_store_of_a_newer_version_is_refused_and_left_alone(
    backend: asm.Backend, open_backend: Callable[..., asm.Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(backend)
    monkeypatch.setattr("asm_core.sql.schema.migrator.LATEST_VERSION", LATEST_VERSION - 1)
    for migrate in (True, False):
        with pytest.raises(asm.MigrationRequiredError, match="Upgrade asm-core"):
            open_backend(migrate=migrate)
    assert numbers(backend.session_store.get_events("s")) == [1, 2, 3, 4, 5]


def test_a_schema_is_migrated_while_a_process_appends(
    backend: asm.Backend, open_backend: Callable[..., asm.Backend]
) -> None:
    fill(backend)
    acknowledged: list[int] = []

    def append() -> None:
        while len(acknowledged) < 60:
            try:
                stored = backend.session_store.append_event(an_event("s"))
            except asm.MigrationRequiredError:
                continue
            acknowledged.append(stored.sequence_number)

    with open_backend() as other, begun(append) as appending:
        while not appending.done():
            other.migrate(LATEST_VERSION - 3)
            other.migrate()
    appending.result()
    assert acknowledged == list(range(6, 66))
    assert numbers(backend.session_store.get_events("s")) == list(range(1, 66))
    assert backend.maintenance.health_check() == []


def test_records_of_state_survive_the_loss_of_their_index(backend: asm.Backend) -> None:
    state = backend.state_store
    kept = [state.put("n", str(place), place, expires_at=days_ago(-1 - place)) for place in range(3)]
    state.put("n", "expired", 1, expires_at=days_ago(1))
    backend.migrate(8)
    backend.migrate()
    assert state.list("n").items == kept
    assert backend.maintenance.clean_expired_records() == 1


def test_many_events_and_their_order_survive_the_way_down_and_up(
    new_store: NewStore,  # noqa: F811  the fixture
    backend_name: str,
    database: str,
    soak: int,
) -> None:
    with asm.open_backend(backend_name, url=new_store(database, float(soak))) as backend:
        query = backend.query_api

        def found() -> tuple[int, list[str]]:
            pages = all_items(query.search_sessions, include_deleted=True, limit=500)
            return query.count_events(), [session.id for session in pages]

        before = found()
        backend.migrate(3)
        backend.migrate()
        assert found() == before
        assert backend.maintenance.health_check() == []
