"""Databases of PostgreSQL whose defaults are others: how transactions are isolated, and how text is encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from calls import CALLS, fill
from peewee import PostgresqlDatabase
from sqlalchemy import create_engine, make_url

import asm_core as asm
from asm_backend_peewee import PeeweeBackend
from asm_backend_sqlmodel import SQLModelBackend
from asm_contract_tests.making import a_session, an_event, numbers, some_events
from asm_contract_tests.together import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from administrator import Administrator
    from own_server import OwnServer
    from transaction_pooler import TransactionPooler

UNPREPARED = {"prepare_threshold": 0}
EVERY_PLANE = "aé€\u4e2d\U0001f600\u0301"


@pytest.fixture
def database() -> str:
    return "postgresql"


@pytest.fixture(params=["repeatable read", "serializable"])
def isolation(request: pytest.FixtureRequest, administrator: Administrator) -> str:
    """Have the database isolate transactions so, unless they say otherwise."""
    administrator.configure(default_transaction_isolation=request.param)
    return str(request.param)


def contend(backend: asm.Backend, rounds: int = 25) -> None:
    """Append to one session, flush to it and save it, from two threads."""
    store = backend.session_store
    session = store.save_session(a_session())

    def work() -> None:
        for _ in range(rounds):
            store.append_event(an_event(session))
            store.append_events(some_events(session, 2))
            store.flush(asm.ExecutionResult(session, None, some_events(session, 1)))
            store.get_events(session.id)

    in_threads(work, work)
    assert numbers(store.get_events(session.id)) == list(range(1, 2 * rounds * 4 + 1))


@pytest.mark.usefixtures("isolation")
def test_appends_of_two_threads_wait_for_each_other(backend: asm.Backend) -> None:
    contend(backend)


@pytest.mark.usefixtures("isolation")
def test_appends_through_a_pooler_wait_for_each_other(backend_name: str, pooler: TransactionPooler) -> None:
    with asm.open_backend(backend_name, url=pooler.url, migrate=True, **UNPREPARED) as pooled:
        contend(pooled)
    with psycopg.connect(pooler.url, autocommit=True, prepare_threshold=None) as connection:
        settings = {connection.execute("SHOW default_transaction_isolation").fetchone() for _ in range(6)}
    assert len(settings) == 1  # none of the server's connections was set to another


@pytest.mark.usefixtures("isolation")
def test_every_call_works_at_any_isolation_level(backend: asm.Backend) -> None:
    for call in CALLS.values():
        fill(backend)
        call(backend)


def test_isolation_of_an_engine_of_the_application_is_kept_and_appends_wait(isolation: str, url: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    contend(SQLModelBackend(engine, migrate=True))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar_one() == isolation
    engine.dispose()


@pytest.mark.usefixtures("isolation")
def test_appends_on_a_database_of_the_application_s_wait(url: str) -> None:
    contend(PeeweeBackend(PostgresqlDatabase(url, prefer_psycopg3=True), migrate=True))


@pytest.mark.usefixtures("isolation")
def test_serialization_failure_in_a_transaction_of_the_caller_s_is_a_retryable_error(url: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    backend = SQLModelBackend(engine, migrate=True)
    fill(backend)

    def lose() -> None:
        with engine.begin() as connection, backend.bind(connection):
            assert backend.session_store.get_latest_sequence("s") == 5
            in_threads(lambda: backend.session_store.append_event(an_event("s")))
            backend.session_store.append_event(an_event("s"))

    with pytest.raises(asm.StorageConnectionError, match="contended"):
        lose()
    assert backend.session_store.get_latest_sequence("s") == 6
    engine.dispose()


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def encoded(request: pytest.FixtureRequest, own_server: OwnServer) -> tuple[str, str]:
    """Return an encoding, and the URL of an empty database that has it."""
    return request.param, own_server.new_database(encoding=request.param)


@pytest.fixture
def in_encoding(encoded: tuple[str, str], backend_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[asm.Backend]:
    """Open a store in it, where the environment wants another encoding."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with asm.open_backend(backend_name, url=encoded[1], migrate=True) as opened:
        yield opened


def test_text_that_the_database_can_keep_is_read_as_it_was_written(
    in_encoding: asm.Backend, encoded: tuple[str, str]
) -> None:
    text = EVERY_PLANE if encoded[0] == "SQL_ASCII" else "é\xff"
    store = in_encoding.session_store
    session = store.save_session(a_session(id=text, tags=[text], metadata={text: text}))
    event = store.append_event(an_event(session, data={text: text}))
    batch = store.append_events([an_event(session, data={text: [text]}) for _ in range(2)])
    assert store.get_session(session.id) == session
    assert store.get_events(session.id) == [event, *batch]
    assert in_encoding.query_api.search_sessions(tags=[text]).items == [session]


def test_text_that_the_database_cannot_keep_is_refused_and_nothing_is_written(
    in_encoding: asm.Backend, encoded: tuple[str, str]
) -> None:
    if encoded[0] == "SQL_ASCII":
        return  # it keeps all
    store = in_encoding.session_store
    session = store.save_session(a_session())
    for text in ("€", "\U0001f600"):
        events = [an_event(session, data={"a": "é"}), an_event(session, data={"a": text})]
        with pytest.raises(asm.StorageError, match=r"cannot represent this text .*LATIN1.*ENCODING 'UTF8'") as raised:
            store.append_events(events)
        assert not raised.value.retryable
        with pytest.raises(asm.StorageError, match="encoding of the database cannot represent"):
            store.save_session(a_session(metadata={"a": text}))
    assert store.get_events(session.id) == []
    assert store.list_sessions() == [session]


def test_connections_of_the_application_without_an_encoding_are_refused(own_server: OwnServer) -> None:
    url = own_server.new_database(encoding="SQL_ASCII")
    with pytest.raises(asm.ValidationError, match="client_encoding=utf8"):
        PeeweeBackend(PostgresqlDatabase(url, prefer_psycopg3=True), migrate=True)
    database = PostgresqlDatabase(url, prefer_psycopg3=True, client_encoding="utf8")
    session = PeeweeBackend(database, migrate=True).session_store.save_session(a_session(metadata={"a": EVERY_PLANE}))
    assert PeeweeBackend(database).session_store.list_sessions() == [session]


def test_application_connections_in_another_encoding_reject_text(own_server: OwnServer) -> None:
    place = make_url(own_server.new_database()).set(drivername="postgresql+psycopg")
    engine = create_engine(place, connect_args={"client_encoding": "latin1"})
    store = SQLModelBackend(engine, migrate=True).session_store
    with pytest.raises(asm.StorageError, match=r"cannot represent this text .*Use client_encoding=UTF8"):
        store.save_session(a_session(metadata={"a": "€"}))
    assert store.list_sessions() == []
    engine.dispose()
