"""What the row models of every ORM do alike: they convert, and they are related."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from random_models import families

import asm_core as asm

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    Family = tuple[asm.Session, asm.Run, asm.Event, asm.Artifact]

ROWS = {asm.Session: "SessionRow", asm.Run: "RunRow", asm.Event: "EventRow", asm.Artifact: "ArtifactRow"}
FIVE = datetime(2026, 1, 2, 5, tzinfo=UTC)
some = settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a model that fails is small, and a database makes shrinking slow
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Orm(Protocol):
    """What an application does with row models.

    Attributes:
        models: the row models, by name.
    """

    models: Any

    def unit(self) -> AbstractContextManager[object]:
        """Return a transaction that commits."""

    def store(self, row: Any) -> None:
        """Store a new row."""

    def change(self, row: Any) -> None:
        """Store a row that changed."""

    def get(self, model: Any, key: str) -> Any:
        """Return the row of a key."""


def row_model(orm: Orm, model: Any) -> Any:
    return getattr(orm.models, ROWS[type(model)])


def stored(backend: asm.Backend, family: Family) -> None:
    session, run, event, artifact = family
    backend.session_store.restore_session(session, [run], [event])
    backend.artifact_registry.register(artifact)


def read(backend: asm.Backend, family: Family) -> list[Any]:
    session, run, _, artifact = family
    store = backend.session_store
    found = store.get_session(session.id), store.get_run(run.id), *store.get_events(session.id)
    return [*found, backend.artifact_registry.get_by_key(artifact.key)]


class RowRules:
    """The rules; the module of an ORM has the fixtures `backend` and `orm`, on one database."""

    @pytest.fixture
    def session(self, backend: asm.Backend) -> asm.Session:
        return backend.session_store.save_session(asm.Session.new(agent_id="a"))

    @pytest.fixture
    def run(self, backend: asm.Backend, session: asm.Session) -> asm.Run:
        return backend.session_store.save_run(asm.Run.new(session_id=session.id))

    @pytest.fixture
    def tokyo(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let connections to PostgreSQL have another time zone."""
        monkeypatch.setenv("PGTZ", "Asia/Tokyo")

    @some
    @given(family=families())
    def test_a_row_becomes_the_model_that_the_ports_read(self, backend: asm.Backend, orm: Orm, family: Family) -> None:
        stored(backend, family)
        with orm.unit():
            found = [orm.get(row_model(orm, model), model.id).to_model() for model in family]
        assert repr(found) == repr(list(family))
        backend.session_store.delete_session(family[0].id)

    @some
    @given(family=families())
    def test_a_model_becomes_a_row_that_the_ports_read(self, backend: asm.Backend, orm: Orm, family: Family) -> None:
        with orm.unit():
            for model in family:
                row = row_model(orm, model).from_model(model)
                assert repr(row.to_model()) == repr(model)
                orm.store(row)
        assert repr(read(backend, family)) == repr(list(family))
        backend.session_store.delete_session(family[0].id)

    def test_what_totals_are_made_of_is_filled_by_the_rule_of_core(
        self, backend: asm.Backend, orm: Orm, session: asm.Session
    ) -> None:
        usage = {"input_tokens": 2, "output_tokens": 3}
        run = asm.Run.new(session_id=session.id, token_usage=usage, provider_metadata={"model": "m"})
        with orm.unit():
            row = orm.models.RunRow.from_model(run)
            assert (row.input_tokens, row.output_tokens, row.total_tokens, row.model) == (2, 3, 5, "m")
            orm.store(row)
        assert backend.query_api.get_usage_summary().total_tokens == 5

    def test_an_event_without_a_number_becomes_no_row(self, orm: Orm, session: asm.Session) -> None:
        event = asm.Event.new(type="message_sent", session_id=session.id)
        with orm.unit(), pytest.raises(asm.ValidationError, match=f"{event.id} has no sequence_number: append it"):
            orm.models.EventRow.from_model(event)

    def test_a_model_of_another_class_becomes_no_row(self, orm: Orm, session: asm.Session) -> None:
        with orm.unit(), pytest.raises(asm.ValidationError, match="takes a model of class Run, not"):
            orm.models.RunRow.from_model(session)

    def test_a_value_that_cannot_be_kept_becomes_no_row(self, orm: Orm) -> None:
        session = asm.Session(id="s", agent_id="a", created_at=FIVE, updated_at=FIVE, metadata={"a": float("nan")})
        with orm.unit(), pytest.raises(asm.ValidationError, match=r"metadata\.a is nan"):
            orm.models.SessionRow.from_model(session)

    def test_a_status_that_does_not_exist_becomes_no_model(self, orm: Orm, session: asm.Session) -> None:
        with orm.unit():
            row = orm.get(orm.models.SessionRow, session.id)
            row.status = "tomorrow"
            with pytest.raises(asm.StorageError, match=f"Session '{session.id}' cannot be read"):
                row.to_model()

    @pytest.mark.usefixtures("tokyo")
    def test_times_are_aware_and_in_utc(self, orm: Orm, session: asm.Session) -> None:
        with orm.unit():
            row = orm.get(orm.models.SessionRow, session.id)
            assert (row.created_at, row.created_at.tzinfo) == (session.created_at, UTC)
            assert row.deleted_at is None

    def test_a_time_in_another_zone_is_kept_in_utc(self, backend: asm.Backend, orm: Orm, run: asm.Run) -> None:
        with orm.unit():
            row = orm.get(orm.models.RunRow, run.id)
            row.ended_at = FIVE.astimezone(timezone(timedelta(hours=2)))
            orm.change(row)
        assert repr(backend.session_store.get_run(run.id).ended_at) == repr(FIVE)

    def test_a_session_has_its_runs_and_events(self, backend: asm.Backend, orm: Orm, run: asm.Run) -> None:
        said = asm.Event.new(type="message_sent", session_id=run.session_id)
        event = backend.session_store.append_event(said)
        with orm.unit():
            row = orm.get(orm.models.SessionRow, run.session_id)
            assert [one.to_model() for one in row.runs] == [run]
            assert [one.to_model() for one in row.events] == [event]

    def test_a_run_has_its_session_and_the_events_that_name_it(
        self, backend: asm.Backend, orm: Orm, session: asm.Session, run: asm.Run
    ) -> None:
        begun = asm.Event.new(type="run_started", session_id=session.id, run_id=run.id)
        other = asm.Event.new(type="message_sent", session_id=session.id)
        event, _ = backend.session_store.append_events([begun, other])
        with orm.unit():
            row = orm.get(orm.models.RunRow, run.id)
            assert row.session.to_model() == session
            assert [one.to_model() for one in row.events] == [event]

    def test_an_event_has_its_session_and_its_run(
        self, backend: asm.Backend, orm: Orm, session: asm.Session, run: asm.Run
    ) -> None:
        begun = asm.Event.new(type="run_started", session_id=session.id, run_id=run.id)
        event = backend.session_store.append_event(begun)
        with orm.unit():
            row = orm.get(orm.models.EventRow, event.id)
            assert (row.session.to_model(), row.run.to_model()) == (session, run)

    def test_a_run_that_is_not_stored_is_none(self, backend: asm.Backend, orm: Orm, session: asm.Session) -> None:
        event = backend.session_store.append_event(
            asm.Event.new(type="run_started", session_id=session.id, run_id="run_elsewhere")
        )
        with orm.unit():
            row = orm.get(orm.models.EventRow, event.id)
            assert (row.run_id, row.run) == ("run_elsewhere", None)
            assert row.to_model() == event
