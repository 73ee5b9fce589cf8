"""The ports on a Pony database of the application's, inside and outside of its db_session."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pony.orm import Database, Required, count, db_session, rollback, select
from processes import ended

import asm_core as asm
from asm_backend_pony import Models, PonyBackend, define
from asm_contract_tests import (
    ConcurrencyContract,
    HandlesContract,
    OpenBackend,
    RoundTripContract,
    TransactionsContract,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_contract_tests.contract import CallersTransaction

# Pony leaves the connections of threads that have ended to the collector, of which Python warns from 3.13 on.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class TestOnTheApplicationsDatabase(HandlesContract, TransactionsContract, ConcurrencyContract, RoundTripContract):
    @pytest.fixture
    def open_backend(self, make: Callable[..., Database]) -> OpenBackend:
        return lambda: PonyBackend(make(), migrate=True)

    @pytest.fixture
    def callers_transaction(self, make: Callable[..., Database]) -> CallersTransaction:
        database = make()

        @contextmanager
        def begin() -> Iterator[Database]:
            with db_session:
                yield database

        return begin


@pytest.fixture
def models(database: Database) -> Models:
    """Return the entities, on the application's database beside one of its own."""
    return define(database)


@pytest.fixture
def database(make: Callable[..., Database]) -> Database:
    return make()


@pytest.fixture
def note(database: Database, models: Models, backend: PonyBackend) -> Any:  # noqa: ARG001  made before it is mapped
    class Note(database.Entity):  # type: ignore[misc, name-defined]
        words = Required(str)

    database.generate_mapping(create_tables=True)
    yield Note
    with db_session:
        database.execute('DROP TABLE "' + Note._table_ + '"')


@pytest.fixture
def backend(database: Database) -> PonyBackend:
    return PonyBackend(database, migrate=True)


@pytest.fixture
def session(backend: PonyBackend) -> asm.Session:
    return backend.session_store.save_session(asm.Session.new(agent_id="a", tags=["t"]))


def said(session: asm.Session) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session.id)


def notes(note: Any) -> int:
    with db_session:
        return int(count(n for n in note))


def test_they_commit_with_the_application(backend: Any, session: asm.Session, note: Any) -> None:
    with db_session:
        note(words="both")
        assert backend.session_store.append_event(said(session)).sequence_number == 1
    assert notes(note) == 1
    assert backend.session_store.get_latest_sequence(session.id) == 1


def test_they_roll_back_with_the_application(backend: Any, session: asm.Session, note: Any) -> None:
    with db_session:
        note(words="neither")
        backend.session_store.append_events([said(session), said(session)])
        backend.session_store.delete_session(session.id)
        rollback()
    assert notes(note) == 0
    assert backend.session_store.get_session(session.id) == session
    assert backend.session_store.append_event(said(session)).sequence_number == 1


def test_after_a_rollback_a_db_session_goes_on(backend: Any, session: asm.Session, note: Any) -> None:
    with db_session:
        backend.session_store.append_event(said(session))
        rollback()
        note(words="one")
        assert backend.session_store.append_event(said(session)).sequence_number == 1
    assert (notes(note), backend.session_store.get_latest_sequence(session.id)) == (1, 1)


def test_the_application_works_inside_a_transaction_of_the_ports(backend: Any, session: asm.Session, note: Any) -> None:
    def fail() -> None:
        with backend.transaction():
            with db_session:
                note(words="neither")
            backend.session_store.append_event(said(session))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert notes(note) == 0
    assert backend.session_store.get_latest_sequence(session.id) == 0


def test_a_call_that_fails_undoes_itself_and_no_more(backend: Any, session: asm.Session) -> None:
    with db_session:
        backend.session_store.append_event(said(session))
        with pytest.raises(asm.SessionNotFoundError):
            backend.session_store.append_events([said(session), asm.Event.new(type="message_sent", session_id="gone")])
        assert backend.session_store.append_event(said(session)).sequence_number == 2
    assert backend.session_store.get_latest_sequence(session.id) == 2


def test_reading_begins_no_transaction(backend: Any, session: asm.Session, make: Callable[..., Database]) -> None:
    other = PonyBackend(make())
    with db_session:
        backend.session_store.get_session(session.id)
        thread = threading.Thread(target=lambda: other.session_store.append_event(said(session)))
        thread.start()
        thread.join(timeout=20)
        assert backend.session_store.get_latest_sequence(session.id) == 1


def test_other_threads_do_not_join(backend: Any, session: asm.Session) -> None:
    seen: list[int] = []
    with db_session:
        backend.session_store.append_event(said(session))
        thread = threading.Thread(target=lambda: seen.append(backend.session_store.get_latest_sequence(session.id)))
        thread.start()
        ended(thread)
    assert (seen, backend.session_store.get_latest_sequence(session.id)) == ([0], 1)


def test_connections_of_its_own_stay_out_of_a_db_session(session: asm.Session, url: str, note: Any) -> None:
    with asm.open_backend("pony", url=url) as own:
        with db_session:
            own.session_store.append_event(said(session))
            rollback()
        assert own.session_store.get_latest_sequence(session.id) == 1
    assert notes(note) == 0


def test_what_was_bound_is_let_go_with_its_db_session(
    backend: Any, session: asm.Session, make: Callable[..., Database]
) -> None:
    bound = make()
    with db_session, backend.bind(bound):
        backend.session_store.append_event(said(session))
    assert backend.session_store.append_event(said(session)).sequence_number == 2


def test_the_entities_are_for_queries_of_the_application(
    backend: Any, session: asm.Session, models: Models, note: Any
) -> None:
    run = backend.session_store.save_run(asm.Run.new(session_id=session.id, input={"b": 1, "a": [None, 1.5]}))
    with db_session:
        note(words="beside")
        found = models.RunRow.get(session=session.id)
        assert (found.id, found.input, models.SessionRow[session.id].tags) == (run.id, run.input, ["t"])
        agents = select(s.agent_id for s in models.SessionRow for r in models.RunRow if r.session_id == s.id)
        assert list(agents) == ["a"]


def test_an_entity_is_read_again_after_a_write(backend: Any, session: asm.Session, models: Models, note: Any) -> None:
    assert note is not None
    with db_session:
        assert count(e for e in models.EventRow) == 0
        backend.session_store.append_event(said(session))
        assert count(e for e in models.EventRow) == 1


@pytest.mark.parametrize("thing", [None, "sqlite://", Database()])
def test_what_is_no_bound_database_is_refused(backend: Any, thing: Any) -> None:
    for use in (backend.bind, PonyBackend):
        with pytest.raises(
            asm.ValidationError, match=r"a pony\.orm\.Database that is bound to SQLite or PostgreSQL, not"
        ):
            use(thing)


def test_a_database_without_a_transaction_is_no_place_to_join(backend: Any, make: Callable[..., Any]) -> None:
    with pytest.raises(asm.ValidationError, match=r"a database with an open transaction\. Call it inside"):
        backend.bind(make())


def test_what_is_executed_often_is_prepared(url: str) -> None:
    if not url.startswith("postgresql"):
        return
    with asm.open_backend("pony", url=url, prepare_threshold=2, pool_size=1) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
        for _ in range(4):
            backend.session_store.append_event(asm.Event.new(type="message_sent", session_id=session.id))
        with backend._database.read() as connection:
            prepared = connection.execute_sql("SELECT statement FROM pg_prepared_statements").fetchall()
    assert any("INSERT INTO asm_events" in statement for (statement,) in prepared)
