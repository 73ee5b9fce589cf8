"""The ports in a transaction of the application's: on its engine, in its SQLModel Session or Connection."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
from processes import ended
from sqlalchemy import Engine, create_engine, text
from sqlmodel import Field, SQLModel
from sqlmodel import Session as OrmSession

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend
from asm_backend_sqlmodel.models import EventRow, SessionRow
from asm_contract_tests.making import as_saved
from asm_core.sql import LATEST_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL


class Note(SQLModel, table=True):
    """A table of the application's."""

    id: int | None = Field(default=None, primary_key=True)
    words: str


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def own(engine: Engine) -> Iterator[SQLModelBackend]:
    """Open the backend on the application's engine."""
    SQLModel.metadata.create_all(engine)
    yield SQLModelBackend(engine, migrate=True)
    SQLModel.metadata.drop_all(engine)


@pytest.fixture
def session(own: SQLModelBackend) -> asm.Session:
    return own.session_store.save_session(asm.Session.new(agent_id="a"))


@pytest.fixture(params=["Session", "Connection"])
def begun(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Any]:
    """Begin what bind() takes; it is rolled back at its end."""
    made = OrmSession(engine) if request.param == "Session" else engine.connect()
    with made:
        yield made


def said(session: asm.Session) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session.id)


def notes(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT COUNT(*) FROM note")).scalar_one())


def test_they_commit_with_the_application(own: SQLModelBackend, session: asm.Session, begun: Any, engine: Any) -> None:
    with own.bind(begun):
        begun.execute(text("INSERT INTO note (words) VALUES ('both')"))
        assert own.session_store.append_event(said(session)).sequence_number == 1
    begun.commit()
    assert (notes(engine), own.session_store.get_latest_sequence(session.id)) == (1, 1)


def test_they_roll_back_with_the_application(
    own: SQLModelBackend, session: asm.Session, begun: Any, engine: Any
) -> None:
    with own.bind(begun):
        begun.execute(text("INSERT INTO note (words) VALUES ('neither')"))
        own.session_store.append_event(said(session))
        own.session_store.delete_session(session.id)
    begun.rollback()
    assert (notes(engine), own.session_store.get_latest_sequence(session.id)) == (0, 0)
    assert own.session_store.append_event(said(session)).sequence_number == 1


def test_a_first_write_by_the_ports_is_rolled_back_too(own: SQLModelBackend, session: asm.Session, begun: Any) -> None:
    with own.bind(begun):
        own.session_store.append_events([said(session), said(session)])
    begun.rollback()
    assert own.session_store.get_latest_sequence(session.id) == 0


def test_a_call_that_fails_undoes_itself_and_no_more(
    own: SQLModelBackend, session: asm.Session, begun: Any, engine: Any
) -> None:
    with own.bind(begun):
        begun.execute(text("INSERT INTO note (words) VALUES ('stays')"))
        own.session_store.append_event(said(session))
        with pytest.raises(asm.SessionNotFoundError):
            own.session_store.append_events([said(session), asm.Event.new(type="message_sent", session_id="unknown")])
        assert own.session_store.append_event(said(session)).sequence_number == 2
    begun.commit()
    assert (notes(engine), own.session_store.get_latest_sequence(session.id)) == (1, 2)


def test_the_ports_see_what_the_session_has_not_committed(own: SQLModelBackend, engine: Engine) -> None:
    other = asm.Session.new(agent_id="b")
    row = {name: getattr(other, name) for name in ("id", "agent_id", "status", "context", "tags")}
    with OrmSession(engine) as orm:
        orm.add(SessionRow(**row, session_metadata={}, created_at=other.created_at, updated_at=other.updated_at))
        orm.flush()
        with own.bind(orm):
            assert own.session_store.get_session(other.id) == as_saved(other)
            own.session_store.append_event(said(other))
            assert orm.get(EventRow, own.session_store.get_events(other.id)[0].id) is not None
    with pytest.raises(asm.SessionNotFoundError):
        own.session_store.get_session(other.id)


def test_other_threads_do_not_join(own: SQLModelBackend, session: asm.Session, begun: Any) -> None:
    seen: list[int] = []
    with own.bind(begun):
        own.session_store.append_event(said(session))
        thread = threading.Thread(target=lambda: seen.append(own.session_store.get_latest_sequence(session.id)))
        thread.start()
        ended(thread)
    begun.commit()
    assert (seen, own.session_store.get_latest_sequence(session.id)) == ([0], 1)


def test_a_transaction_of_the_ports_inside_is_a_part_of_it(
    own: SQLModelBackend, session: asm.Session, begun: Any
) -> None:
    with own.bind(begun):
        own.session_store.append_event(said(session))
        with contextlib.suppress(ZeroDivisionError), own.transaction():
            assert own.session_store.append_event(said(session)).sequence_number == 2
            raise ZeroDivisionError
    begun.commit()
    assert own.session_store.get_latest_sequence(session.id) == 1


def test_afterwards_the_ports_commit_by_themselves(own: SQLModelBackend, session: asm.Session, begun: Any) -> None:
    with pytest.raises(ZeroDivisionError), own.bind(begun):
        raise ZeroDivisionError
    begun.rollback()
    assert own.session_store.append_event(said(session)).sequence_number == 1
    begun.rollback()
    assert own.session_store.get_latest_sequence(session.id) == 1


def test_a_flush_and_a_migration_join_too(own: SQLModelBackend, begun: Any) -> None:
    new = asm.Session.new(agent_id="a")
    with own.bind(begun):
        own.session_store.flush(asm.ExecutionResult(new, asm.Run.new(session_id=new.id), [said(new)]))
        own.migrate(1)
    begun.rollback()
    assert own.schema_version() == LATEST_VERSION
    assert own.session_store.list_sessions() == []
    assert own.maintenance.health_check() == []


@pytest.mark.parametrize("thing", [None, "sqlite://", object()])
def test_what_is_no_transaction_is_refused(own: SQLModelBackend, thing: Any) -> None:
    with pytest.raises(
        asm.ValidationError, match=r"bind\(\) takes a SQLModel Session or a SQLAlchemy Connection, not a"
    ):
        own.bind(thing).__enter__()


def test_an_engine_of_another_database_is_refused() -> None:
    class Elsewhere:
        class dialect:  # noqa: N801  as an engine has it
            name = "mysql"

    with pytest.raises(asm.ValidationError, match="runs on SQLite and PostgreSQL, not on mysql"):
        SQLModelBackend(Elsewhere())  # type: ignore[arg-type]


def test_the_engine_is_not_closed_with_the_backend(own: SQLModelBackend, engine: Engine, session: asm.Session) -> None:
    own.close()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM asm_sessions")).scalar_one() == session.id
    with pytest.raises(asm.StorageError, match="closed"):
        own.session_store.get_session(session.id)


def test_unknown_sessions_are_refused_though_the_engine_checks_no_foreign_keys(own: SQLModelBackend) -> None:
    unknown = asm.Session.new(agent_id="a")
    run = asm.Run.new(session_id=unknown.id)
    for call in (
        lambda: own.session_store.append_event(said(unknown)),
        lambda: own.session_store.append_events([said(unknown), said(unknown)]),
        lambda: own.session_store.save_run(run),
    ):
        with pytest.raises(asm.SessionNotFoundError):
            call()
    assert own.maintenance.health_check() == []


def test_deleting_leaves_nothing_though_the_engine_checks_no_foreign_keys(
    own: SQLModelBackend, session: asm.Session
) -> None:
    own.session_store.save_run(asm.Run.new(session_id=session.id))
    own.session_store.append_event(said(session))
    own.session_store.delete_session(session.id)
    assert own.maintenance.health_check() == []
    with own._database.read() as connection:
        for table in ("asm_sessions", "asm_runs", "asm_events", "asm_session_sequences"):
            assert connection.execute_sql(f"SELECT COUNT(*) FROM {table}").fetchall() == [(0,)]  # noqa: S608


def test_a_database_in_memory_is_one_for_all_threads() -> None:
    with asm.open_backend("sqlmodel", url="sqlite://", migrate=True) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
        threads = [
            threading.Thread(target=lambda: [backend.session_store.append_event(said(session)) for _ in range(20)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        ended(*threads)
        numbers = [event.sequence_number for event in backend.session_store.get_events(session.id)]
        assert numbers == list(range(1, 81))


def test_a_pool_that_is_used_up_is_a_retryable_error(engine_url: URL) -> None:
    engine = create_engine(engine_url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    backend = SQLModelBackend(engine, migrate=True)
    with engine.connect(), pytest.raises(asm.StorageConnectionError, match="All connections of the pool are in use"):
        backend.session_store.list_sessions()
    assert backend.session_store.list_sessions() == []
    engine.dispose()
