"""The plain append: an UPDATE and an INSERT for each session."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import peewee
import psycopg
import pytest
from pony import orm as pony
from sqlalchemy import NullPool, create_engine, event, make_url

import asm_core as asm
from asm_backend_peewee import PeeweeBackend
from asm_backend_pony import PonyBackend
from asm_backend_sqlmodel import SQLModelBackend
from asm_core.sql.postgresql.append import is_collision

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKENDS = ("peewee", "pony", "sqlmodel")
DISTRIBUTED = "CREATE TABLE pg_dist_partition (logicalrelid regclass)"
"""What the catalog of a distributed PostgreSQL has; a table of that name in `public` stands for it."""

ONE_STATEMENT_FAILS = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_query() ~ '^\\s*WITH' THEN
        RAISE 'inserted and counted in one statement';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refuse AFTER INSERT ON asm_events FOR EACH STATEMENT EXECUTE FUNCTION refuse()
"""


def new(session: asm.Session, **fields: Any) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session.id, **fields)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("notify", [True, False])
def test_events_are_numbered_as_with_one_statement(postgresql_url: str, name: str, *, notify: bool) -> None:
    with asm.open_backend(name, url=postgresql_url, migrate=True, append="plain", notify=notify) as backend:
        store = backend.session_store
        sessions = sorted((store.save_session(asm.Session.new(agent_id="a")) for _ in range(2)), key=lambda one: one.id)
        assert store.append_event(new(sessions[1])).sequence_number == 1
        batch = [new(sessions[place % 2], data={"n": place}) for place in range(450)]
        stored = store.append_events([*batch, batch[0]])
        assert [event.sequence_number for event in stored[:4]] == [1, 2, 2, 3]
        assert stored[-1] == stored[0]
        assert [len(store.get_events(one.id)) for one in sessions] == [225, 226]
        assert backend.maintenance.health_check() == []


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("value", ["fast", "", None, True, ["plain"]])
def test_another_way_to_append_is_refused(name: str, value: Any) -> None:
    with pytest.raises(asm.ValidationError, match="append must be one of auto, plain"):
        asm.open_backend(name, url="postgresql://nowhere/none", append=value)


@pytest.mark.parametrize("name", BACKENDS)
def test_sqlite_has_no_such_option(name: str) -> None:
    with pytest.raises(asm.ValidationError, match="has no option 'append'"):
        asm.open_backend(name, url="sqlite://", append="plain")


def on_sqlmodel(url: str, **options: Any) -> asm.Backend:
    at = make_url(url).set(drivername="sqlite" if "sqlite" in url else "postgresql+psycopg")
    engine = create_engine(at, poolclass=NullPool)
    return SQLModelBackend(engine, **options)


def on_peewee(url: str, **options: Any) -> asm.Backend:
    opened = peewee.SqliteDatabase(":memory:") if "sqlite" in url else peewee.PostgresqlDatabase(url)
    return PeeweeBackend(opened, **options)


def on_pony(url: str, **options: Any) -> asm.Backend:
    database = pony.Database("sqlite", ":memory:") if "sqlite" in url else pony.Database("postgres", url)
    return PonyBackend(database, **options)


OF_APPLICATIONS = pytest.mark.parametrize("open_own", [on_sqlmodel, on_peewee, on_pony])


@pytest.fixture
def plain_only(postgresql_url: str) -> Iterator[str]:
    """Return the URL of a store that refuses the append in one statement."""
    with asm.open_backend("peewee", url=postgresql_url, migrate=True):
        pass
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(ONE_STATEMENT_FAILS)
        yield postgresql_url
        connection.execute("DROP FUNCTION refuse() CASCADE")


@OF_APPLICATIONS
@pytest.mark.parametrize("append", ["plain", "auto"])
def test_applications_own_database_appends_plainly(plain_only: str, open_own: Any, append: str) -> None:
    with open_own(plain_only, append=append) as backend:
        store = backend.session_store
        session = store.save_session(asm.Session.new(agent_id="a"))
        with pytest.raises(asm.StorageError) if append == "auto" else nullcontext():
            assert [event.sequence_number for event in store.append_events([new(session), new(session)])] == [1, 2]


@OF_APPLICATIONS
@pytest.mark.parametrize(("append", "message"), [("plain", "SQLite appends in one way only"), ("x", "append must be")])
def test_applications_own_sqlite_refuses_it(open_own: Any, append: str, message: str) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        open_own("sqlite://", append=append)


@pytest.fixture
def distributed(postgresql_url: str) -> Iterator[str]:
    """Return the URL of a store whose events a catalog lists as distributed."""
    with asm.open_backend("peewee", url=postgresql_url, migrate=True):
        pass
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(DISTRIBUTED)
        connection.execute("INSERT INTO pg_dist_partition VALUES ('asm_events')")
        yield postgresql_url
        connection.execute("DROP TABLE pg_dist_partition")


def test_a_distributed_table_gets_plain_statements(distributed: str) -> None:
    engine = create_engine(make_url(distributed).set(drivername="postgresql+psycopg"))
    sent: list[tuple[str, Any]] = []
    with SQLModelBackend(engine) as backend:
        event.listen(engine, "before_cursor_execute", lambda *given: sent.append(given[2:4]))
        store = backend.session_store
        one, other = (store.save_session(asm.Session.new(agent_id="a")) for _ in range(2))
        sent.clear()
        stored = store.append_events([new(other), new(one), new(other)])
        assert [event.sequence_number for event in stored] == [1, 1, 2]
        assert [text.split()[0] for text, _ in sent] == ["UPDATE", "UPDATE", "INSERT", "INSERT"]
        assert [parameters[-1] for text, parameters in sent[:2]] == [one.id, other.id]
        sent.clear()
        backend.maintenance.hard_delete_expired_sessions(asm.RetentionPolicy())
        store.append_events([new(other), new(one)])
        backend.maintenance.soft_delete_session(one.id)
        store.delete_session(one.id)
        locking = [parameters for text, parameters in sent if re.search(r"FOR (UPDATE|KEY SHARE)", text)]
        assert locking
        assert all(str(parameters).count("ses_") == 1 for parameters in locking)
    engine.dispose()


class CoordinatorError(Exception):
    """An error of a coordinator, which has the message of another server."""

    sqlstate = "XX000"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('duplicate key value violates unique constraint "asm_events_pkey_102040"', True),
        ("doppelter Schlüsselwert verletzt Unique-Constraint »asm_events_session_id_sequence_number_key_102041«", True),
        ('insert on table "asm_runs_102" violates foreign key constraint "asm_runs_session_id_fkey_102"', True),
        ('null value in column "last_sequence" violates not-null constraint', True),
        ("could not send the query to a worker", False),
    ],
)
def test_a_repeat_is_recognised_in_the_error_of_a_coordinator(message: str, *, expected: bool) -> None:
    assert bool(is_collision(CoordinatorError(message))) is expected
    assert bool(is_collision(asm.StorageError("The database failed."))) is False
