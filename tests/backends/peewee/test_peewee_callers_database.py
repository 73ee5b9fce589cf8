"""The ports on a database of the application's: plain, pooled or a proxy, inside and outside of its atomic()."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from peewee import DatabaseProxy, Model, MySQLDatabase, SqliteDatabase, TextField
from playhouse.pool import PooledPostgresqlDatabase, PooledSqliteDatabase
from processes import ended

import asm_core as asm
from asm_backend_peewee import PeeweeBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from peewee import Database


@pytest.fixture(params=["plain", "pooled", "proxy"])
def database(request: pytest.FixtureRequest, make: Callable[..., Database]) -> Iterator[Any]:
    """Return a database of the application's, with no connection open."""
    if request.param == "pooled":
        made: Any = make(PooledSqliteDatabase, PooledPostgresqlDatabase, max_connections=4)
        yield made
        made.close_all()
        return
    made = make()
    if request.param == "proxy":
        proxy = DatabaseProxy()
        proxy.initialize(made)
        yield proxy
    else:
        yield made
    made.close()


@pytest.fixture
def note(database: Any) -> Iterator[Any]:
    """Return a model of the application's."""
    own = database

    class Note(Model):
        words = TextField()

        class Meta:
            database = own

    with database.connection_context():
        database.create_tables([Note])
    yield Note
    with database.connection_context():
        database.drop_tables([Note])


@pytest.fixture
def backend(database: Any) -> PeeweeBackend:
    return PeeweeBackend(database, migrate=True)


@pytest.fixture
def session(backend: PeeweeBackend) -> asm.Session:
    return backend.session_store.save_session(asm.Session.new(agent_id="a", tags=["t"]))


def said(session: asm.Session) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session.id)


def test_they_commit_with_the_application(backend: Any, session: asm.Session, database: Any, note: Any) -> None:
    with database.connection_context(), database.atomic():
        note.create(words="both")
        assert backend.session_store.append_event(said(session)).sequence_number == 1
    with database.connection_context():
        assert note.select().count() == 1
    assert backend.session_store.get_latest_sequence(session.id) == 1


def test_they_roll_back_with_the_application(backend: Any, session: asm.Session, database: Any, note: Any) -> None:
    with database.connection_context(), database.atomic() as transaction:
        note.create(words="neither")
        backend.session_store.append_events([said(session), said(session)])
        backend.session_store.delete_session(session.id)
        transaction.rollback()
    with database.connection_context():
        assert note.select().count() == 0
    assert backend.session_store.get_session(session.id) == session
    assert backend.session_store.append_event(said(session)).sequence_number == 1


def test_the_application_works_inside_a_transaction_of_the_ports(
    backend: Any, session: asm.Session, database: Any, note: Any
) -> None:
    def fail() -> None:
        with backend.transaction():
            note.create(words="neither")
            with database.atomic():
                backend.session_store.append_event(said(session))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.connection_context():
        assert note.select().count() == 0
    assert backend.session_store.get_latest_sequence(session.id) == 0


def test_a_call_that_fails_undoes_itself_and_no_more(backend: Any, session: asm.Session, database: Any) -> None:
    with database.connection_context(), database.atomic():
        backend.session_store.append_event(said(session))
        with pytest.raises(asm.SessionNotFoundError):
            backend.session_store.append_events([said(session), asm.Event.new(type="message_sent", session_id="gone")])
        assert backend.session_store.append_event(said(session)).sequence_number == 2
    assert backend.session_store.get_latest_sequence(session.id) == 2


def test_other_threads_do_not_join(backend: Any, session: asm.Session, database: Any) -> None:
    seen: list[int] = []
    with database.connection_context(), database.atomic():
        backend.session_store.append_event(said(session))
        thread = threading.Thread(target=lambda: seen.append(backend.session_store.get_latest_sequence(session.id)))
        thread.start()
        ended(thread)
    assert (seen, backend.session_store.get_latest_sequence(session.id)) == ([0], 1)


def test_a_connection_that_was_opened_for_a_call_is_closed_again(backend: Any, database: Any) -> None:
    assert database.is_closed()
    backend.session_store.list_sessions()
    assert database.is_closed()


def test_a_connection_of_the_application_stays_open(backend: Any, database: Any) -> None:
    with database.connection_context():
        backend.session_store.list_sessions()
        backend.close()
        assert not database.is_closed()


def test_the_models_are_for_queries_of_the_application(backend: Any, session: asm.Session, database: Any) -> None:
    run = backend.session_store.save_run(asm.Run.new(session_id=session.id, input={"b": 1, "a": [None, 1.5]}))
    rows = backend.models
    with database.connection_context():
        found = rows.SessionRow.get(rows.SessionRow.tags.carries("t"))
        assert (found.id, found.tags, found.created_at) == (session.id, ["t"], session.created_at)
        assert [(one.id, one.input, one.started_at) for one in found.runs] == [(run.id, run.input, run.started_at)]
        assert rows.RunRow.select().join(rows.SessionRow).where(rows.SessionRow.agent_id == "a").count() == 1


def test_backends_on_two_databases_leave_each_other_alone(tmp_path: Path) -> None:
    one, other = (SqliteDatabase(tmp_path / name) for name in ("one.db", "other.db"))
    first, second = PeeweeBackend(one, migrate=True), PeeweeBackend(other, migrate=True)
    session = first.session_store.save_session(asm.Session.new(agent_id="a"))
    with one.connection_context(), one.atomic(), second.transaction():
        second.session_store.save_session(asm.Session.new(agent_id="b"))
        first.session_store.append_event(said(session))
    assert [found.agent_id for found in first.session_store.list_sessions()] == ["a"]
    assert [found.agent_id for found in second.session_store.list_sessions()] == ["b"]


def test_a_database_in_memory_is_kept() -> None:
    database = SqliteDatabase(":memory:")
    backend = PeeweeBackend(database, migrate=True)
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    assert backend.session_store.list_sessions() == [session]
    database.close()


@pytest.mark.parametrize("thing", [None, "sqlite://", object()])
def test_what_is_no_database_is_refused(backend: Any, thing: Any) -> None:
    with pytest.raises(asm.ValidationError, match="runs on a SqliteDatabase or a PostgresqlDatabase, not on"):
        backend.bind(thing).__enter__()
    with pytest.raises(asm.ValidationError, match="runs on a SqliteDatabase or a PostgresqlDatabase, not on"):
        PeeweeBackend(thing)


def test_a_database_without_a_transaction_is_no_place_to_join(backend: Any, make: Callable[..., Any]) -> None:
    with pytest.raises(asm.ValidationError, match=r"a database with an open transaction\. Call it inside"):
        backend.bind(make()).__enter__()


def test_a_database_of_another_kind_is_refused() -> None:
    with pytest.raises(asm.ValidationError, match="not on MySQLDatabase"):
        PeeweeBackend(MySQLDatabase("x"))
