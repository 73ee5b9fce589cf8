"""Entities convert to models and back, and are related."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from pony.orm import Database, Optional, Required, db_session, flush, rollback, select
from row_rules import FIVE, RowRules

import asm_core as asm
from asm_backend_pony import PonyBackend, define

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

# Pony leaves the connections of threads that have ended to the collector, of which Python warns from 3.13 on.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class OnPony:
    def __init__(self, models: Any) -> None:
        self.models = models

    def unit(self) -> AbstractContextManager[object]:
        return db_session()  # type: ignore[no-any-return]  # Pony has no types

    def store(self, row: Any) -> None:  # noqa: ARG002  an entity is stored as it is made
        flush()

    def change(self, row: Any) -> None:  # noqa: ARG002  Pony saw it
        flush()

    def get(self, model: Any, key: str) -> Any:
        return model[key]


@pytest.fixture
def database(make: Callable[..., Database]) -> Database:
    return make()


@pytest.fixture
def backend(database: Database) -> PonyBackend:
    return PonyBackend(database, migrate=True)


@pytest.fixture
def orm(backend: PonyBackend, database: Database) -> OnPony:  # noqa: ARG001  the tables are there
    models = define(database)
    database.generate_mapping()
    return OnPony(models)


class TestRowModels(RowRules):
    @pytest.mark.parametrize("hours", [0, 9])
    def test_a_time_in_a_query_is_compared_as_time(
        self, backend: PonyBackend, orm: OnPony, session: asm.Session, hours: int
    ) -> None:
        rows = orm.models.RunRow
        given = [asm.Run.new(session_id=session.id, started_at=FIVE + timedelta(hours=n)) for n in range(3)]
        runs = [backend.session_store.save_run(run) for run in given]
        bound = (FIVE + timedelta(hours=1)).astimezone(timezone(timedelta(hours=hours)))
        with db_session:
            found = [row.to_model() for row in select(r for r in rows if r.started_at > bound)]
            latest = select(r.started_at for r in rows).max()
        assert (found, latest) == (runs[2:], runs[2].started_at)

    def test_an_entity_with_a_time_without_a_zone_is_refused(self, orm: OnPony, session: asm.Session) -> None:
        with db_session, pytest.raises(asm.ValidationError, match="must have a time zone"):
            orm.models.SessionRow[session.id].deleted_at = FIVE.replace(tzinfo=None)

    def test_the_id_of_the_session_can_be_queried(self, orm: OnPony, run: asm.Run) -> None:
        with db_session:
            assert [r.id for r in select(r for r in orm.models.RunRow if r.session_id == run.session_id)] == [run.id]

    def test_an_entity_that_changed_is_stored(self, backend: PonyBackend, orm: OnPony, run: asm.Run) -> None:
        with db_session:
            row = orm.models.RunRow[run.id]
            row.metadata["b"] = row.metadata.get("a", [1])
            row.status = "running"
        found = backend.session_store.get_run(run.id)
        assert (found.metadata, found.status) == ({"b": [1]}, "running")


def test_times_of_the_application_stay_as_pony_has_them(backend: PonyBackend, database: Database) -> None:
    define(database)

    class Note(database.Entity):  # type: ignore[misc, name-defined]
        at = Required(datetime)
        until = Optional(datetime)

    database.generate_mapping(create_tables=True)
    naive = FIVE.replace(tzinfo=None)
    try:
        with db_session:
            Note(at=naive)
        with db_session:
            assert (Note.get(at=naive).at, Note.get().until) == (naive, None)
            assert select(note.at for note in Note).max() == naive
            rollback()
    finally:
        with db_session:
            database.execute(f'DROP TABLE "{Note._table_}"')
    assert backend.maintenance.health_check() == []
