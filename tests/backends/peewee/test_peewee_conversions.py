"""Row models of Peewee convert to models and back, and are related."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from row_rules import FIVE, RowRules

import asm_core as asm
from asm_backend_peewee import PeeweeBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OnPeewee:
    def __init__(self, database: Any, models: Any) -> None:
        self.database = database
        self.models = models

    @contextmanager
    def unit(self) -> Iterator[None]:
        with self.database.connection_context(), self.database.atomic():
            yield

    def store(self, row: Any) -> None:
        row.save(force_insert=True)

    def change(self, row: Any) -> None:
        row.save()

    def get(self, model: Any, key: str) -> Any:
        return model.get_by_id(key)


@pytest.fixture
def backend(make: Callable[..., Any]) -> PeeweeBackend:
    return PeeweeBackend(make(), migrate=True)


@pytest.fixture
def orm(backend: PeeweeBackend) -> OnPeewee:
    return OnPeewee(backend.models.SessionRow._meta.database, backend.models)


class TestRowModels(RowRules):
    def test_a_row_without_values_becomes_no_model(self, orm: OnPeewee) -> None:
        with pytest.raises(asm.ValidationError, match="a session has no value for id, agent_id, status, "):
            orm.models.SessionRow().to_model()

    def test_a_time_without_a_zone_is_refused(self, orm: OnPeewee) -> None:
        rows = orm.models.SessionRow
        with orm.unit(), pytest.raises(asm.ValidationError, match="must have a time zone"):
            list(rows.select().where(rows.created_at > FIVE.replace(tzinfo=None)))
