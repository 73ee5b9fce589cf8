"""The connection of the application's transaction is ended while the ports work inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlmodel import Session as OrmSession

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection
    from sqlalchemy import Engine

END = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'application'"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    place = make_url(url).set(drivername="postgresql+psycopg")
    made = create_engine(place, connect_args={"application_name": "application"})
    yield made
    made.dispose()


@pytest.fixture
def own(engine: Engine) -> SQLModelBackend:
    """Open the backend on the application's engine."""
    return SQLModelBackend(engine, migrate=True)


@pytest.fixture(params=["Session", "Connection"])
def begun(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Any]:
    """Begin what bind() takes; it is rolled back at its end."""
    made = OrmSession(engine) if request.param == "Session" else engine.connect()
    with made:
        yield made


@pytest.fixture
def session(own: SQLModelBackend) -> asm.Session:
    return own.session_store.save_session(asm.Session.new(agent_id="a"))


def said(session: asm.Session) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session.id)


@pytest.mark.parametrize("call", ["append_event", "list_sessions"])
def test_the_error_is_raised_and_the_next_transaction_works(
    own: SQLModelBackend, session: asm.Session, begun: Any, connection: Connection, call: str
) -> None:
    store = own.session_store
    calls = {"append_event": lambda: store.append_event(said(session)), "list_sessions": store.list_sessions}
    with own.bind(begun):
        store.append_event(said(session))
        connection.execute(END)
        with pytest.raises(asm.StorageConnectionError):
            calls[call]()
        with pytest.raises(asm.StorageError, match="Leave it and begin a new one"):
            store.append_event(said(session))
    begun.rollback()
    with own.bind(begun):
        assert store.append_event(said(session)).sequence_number == 1
    begun.commit()
    assert [event.sequence_number for event in store.get_events(session.id)] == [1]


def test_a_transaction_rolled_back_by_an_error_of_the_application_raises(
    own: SQLModelBackend, session: asm.Session, engine: Engine
) -> None:
    with engine.connect() as begun, own.bind(begun):
        with pytest.raises(Exception, match="division by zero"):
            begun.execute(text("SELECT 1 / 0"))
        with pytest.raises(asm.StorageError, match="Leave it and begin a new one"):
            own.session_store.append_event(said(session))
        begun.rollback()
        assert own.session_store.append_event(said(session)).sequence_number == 1


def test_a_session_that_cannot_connect_raises_an_error_of_ours(own: SQLModelBackend) -> None:
    nowhere = create_engine("postgresql+psycopg://localhost:1/nowhere")
    with OrmSession(nowhere) as begun, own.bind(begun) as ports, pytest.raises(asm.StorageConnectionError):
        ports.session_store.list_sessions()
    nowhere.dispose()
