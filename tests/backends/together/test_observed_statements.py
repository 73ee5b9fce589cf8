"""Listeners and logs of the ORMs see core's statements when they are on; otherwise statements bypass the ORM."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playhouse.db_url import connect
from pony.orm import Database, set_sql_debug
from pony.orm.core import sql_logger
from sqlalchemy import Engine, create_engine, event, make_url

import asm_core as asm
from asm_backend_peewee import PeeweeBackend
from asm_backend_pony import PonyBackend
from asm_backend_sqlmodel import SQLModelBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = {
    "append": "UPDATE asm_session_sequences",
    "read": "FROM asm_events e",
    "search": "FROM asm_sessions s",
    "save": "INSERT INTO asm_sessions",
    "flush": "INSERT INTO asm_runs",
    "maintenance": "DELETE FROM asm_events",
}
"""A part of a statement that each of these executes."""


def work(backend: asm.Backend) -> list[Any]:
    """Return what the calls returned that can be read again."""
    store = backend.session_store
    session = store.save_session(asm.Session.new(agent_id="a", tags=["100%"]))
    events = [asm.Event.new(type="message_sent", session_id=session.id, data={"n": n}) for n in range(5)]
    first = store.append_event(events[0])
    rest = store.append_events(events[1:])
    assert store.append_events(events) == [first, *rest]
    run = asm.Run.new(session_id=session.id)
    last = asm.Event.new(type="run_started", session_id=session.id, run_id=run.id)
    store.flush(asm.ExecutionResult(session=session, run=run, events=(last,)))
    with pytest.raises(asm.SessionNotFoundError):
        store.append_event(asm.Event.new(type="message_sent", session_id="ses_none"))
    backend.maintenance.execute(asm.RetentionPolicy(max_events_per_session=4))
    return read(backend, session.id)


def read(backend: asm.Backend, session_id: str) -> list[Any]:
    store = backend.session_store
    found = backend.query_api.search_sessions(agent_id="a", tags=["100%"])
    return [store.get_session(session_id), found.items, store.get_events(session_id), store.list_runs(session_id)]


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def logged(name: str, level: int) -> Iterator[list[str]]:
    logger, records = logging.getLogger(name), Records()
    before = logger.level
    logger.addHandler(records)
    logger.setLevel(level)
    try:
        yield records.texts
    finally:
        logger.setLevel(before)
        logger.removeHandler(records)


@contextmanager
def events_of(target: Any) -> Iterator[list[str]]:
    seen: list[str] = []
    finished: list[str] = []

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        finished.append(statement)

    event.listen(target, "before_cursor_execute", before)
    event.listen(target, "after_cursor_execute", after)
    try:
        yield seen
        assert set(finished) <= set(seen)
        assert finished
    finally:
        event.remove(target, "before_cursor_execute", before)
        event.remove(target, "after_cursor_execute", after)


@contextmanager
def echo_of(engine: Engine) -> Iterator[list[str]]:
    engine.echo = True
    try:
        with logged("sqlalchemy.engine.Engine", logging.NOTSET) as seen:
            yield seen
    finally:
        engine.echo = False


@contextmanager
def debugged() -> Iterator[list[str]]:
    with logged(sql_logger.name, logging.INFO) as seen:
        set_sql_debug(debug=True, show_values=True)
        try:
            yield seen
        finally:
            set_sql_debug(debug=False)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Restore what `echo` leaves: a handler of SQLAlchemy's, and a level."""
    logger = logging.getLogger("sqlalchemy")
    handlers = logger.handlers.copy()
    yield
    logger.handlers[:] = handlers


@pytest.fixture
def on() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def check(backend: asm.Backend, observing: Any, *, text_of: Any = str) -> None:
    work(backend)  # connections are open, statements prepared
    with observing as seen:
        found = work(backend)
        texts = [text_of(one).replace('"', "") for one in seen]
    for call, part in PARTS.items():
        assert any(part in text for text in texts), (call, part)
    count = len(seen)
    assert read(backend, found[0].id)[2:] == found[2:]
    assert len(seen) == count


def engine_url(url: str) -> Any:
    place = make_url(url)
    return place.set(drivername="postgresql+psycopg") if place.get_backend_name() == "postgresql" else place


def test_events_of_an_engine(url: str, on: ExitStack) -> None:
    engine = create_engine(engine_url(url))
    on.callback(engine.dispose)
    backend = on.enter_context(SQLModelBackend(engine, migrate=True))
    check(backend, events_of(engine))


def test_echo_of_an_engine(url: str, on: ExitStack) -> None:
    engine = create_engine(engine_url(url))
    on.callback(engine.dispose)
    backend = on.enter_context(SQLModelBackend(engine, migrate=True))
    check(backend, echo_of(engine))


def test_events_of_a_connection(url: str, on: ExitStack) -> None:
    engine = create_engine(engine_url(url))
    on.callback(engine.dispose)
    backend = on.enter_context(SQLModelBackend(engine, migrate=True))
    connection = on.enter_context(engine.connect())
    on.enter_context(backend.bind(connection))
    check(backend, events_of(connection))
    connection.commit()


@pytest.mark.parametrize("kind", ["events", "log"])
def test_what_the_sqlmodel_backend_opened_itself(url: str, on: ExitStack, kind: str) -> None:
    backend = on.enter_context(asm.open_backend("sqlmodel", url=url, migrate=True))
    check(backend, events_of(Engine) if kind == "events" else logged("sqlalchemy.engine", logging.INFO))


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "application's"])
def test_logger_of_peewee(url: str, on: ExitStack, *, is_own: bool) -> None:
    options = {} if url.startswith("sqlite") else {"prefer_psycopg3": True}
    database = connect(url, **options)
    backend = on.enter_context(
        asm.open_backend("peewee", url=url, migrate=True) if is_own else PeeweeBackend(database, migrate=True)
    )
    check(backend, logged("peewee", logging.DEBUG))


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "application's"])
def test_debugging_of_pony(url: str, on: ExitStack, *, is_own: bool) -> None:
    place = make_url(url)
    if is_own:
        backend = on.enter_context(asm.open_backend("pony", url=url, migrate=True))
    else:
        database = Database()
        if place.get_backend_name() == "sqlite":
            database.bind("sqlite", place.database, create_db=True)
        else:
            database.bind("postgres", url)
        on.callback(database.disconnect)
        backend = on.enter_context(PonyBackend(database, migrate=True))
    check(backend, debugged())


def test_the_ports_see_the_events_of_an_engine_within_a_transaction(url: str, on: ExitStack) -> None:
    engine = create_engine(engine_url(url))
    on.callback(engine.dispose)
    backend = on.enter_context(SQLModelBackend(engine, migrate=True))
    with events_of(engine) as seen, backend.transaction():
        work(backend)
    assert any(PARTS["append"] in text for text in seen)
    assert backend.maintenance.health_check() == []
