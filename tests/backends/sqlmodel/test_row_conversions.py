"""Row models of SQLModel convert to models and back, and are related."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from row_rules import FIVE, RowRules
from sqlalchemy.exc import StatementError
from sqlmodel import Session as OrmSession
from sqlmodel import select

import asm_core as asm
from asm_backend_sqlmodel import SessionRow, models
from asm_contract_tests.making import as_saved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


class OnSQLModel:
    models: Any = models

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def unit(self) -> Iterator[None]:
        with OrmSession(self.engine) as self.session:
            yield
            self.session.commit()

    def store(self, row: Any) -> None:
        self.session.add(row)
        self.session.flush()

    def change(self, row: Any) -> None:
        self.session.add(row)

    def get(self, model: Any, key: str) -> Any:
        return self.session.get(model, key)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def orm(backend: asm.Backend, engine: Engine) -> OnSQLModel:  # noqa: ARG001  the tables are there
    return OnSQLModel(engine)


class TestRowModels(RowRules):
    def test_a_row_without_values_becomes_no_model(self) -> None:
        with pytest.raises(asm.ValidationError, match="a session has no value for id, agent_id, status, "):
            SessionRow().to_model()  # type: ignore[call-arg]

    def test_a_time_without_a_zone_is_refused(self, orm: OnSQLModel) -> None:
        with orm.unit(), pytest.raises(StatementError, match="must have a time zone"):
            orm.session.exec(select(SessionRow).where(SessionRow.created_at > FIVE.replace(tzinfo=None))).all()

    def test_a_session_is_stored_before_its_runs(self, orm: OnSQLModel, backend: asm.Backend) -> None:
        session = asm.Session.new(agent_id="a")
        run = asm.Run.new(session_id=session.id)
        with orm.unit():
            row = models.SessionRow.from_model(session)
            row.runs.append(models.RunRow.from_model(run))
            orm.session.add(row)
        assert backend.session_store.get_run(run.id) == as_saved(run)
