"""A PostgreSQL store whose runs and events are partitioned."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from processes import LIMIT

import asm_core as asm
from asm_core.sql import LATEST_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTITIONS = 4


def an_event(session_id: str, **fields: Any) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session_id, **fields)


@pytest.fixture
def backend(postgresql_url: str) -> Iterator[asm.Backend]:
    """Return a store with sessions, runs and events that is not partitioned."""
    with asm.open_backend("sqlmodel", url=postgresql_url, migrate=True) as backend:
        for _ in range(5):
            session = asm.Session.new(agent_id="a")
            run = asm.Run.new(session_id=session.id)
            events = [an_event(session.id, run_id=run.id, data={"n": n}) for n in range(20)]
            backend.session_store.flush(asm.ExecutionResult(session, run, events))
        yield backend


@pytest.fixture
def one(backend: asm.Backend) -> asm.Session:
    """Return one of the sessions."""
    return backend.session_store.list_sessions()[0]


def everything(backend: asm.Backend) -> list[Any]:
    return [backend.query_api.export_session(one.id).to_dict() for one in backend.session_store.list_sessions()]


def ask(url: str, question: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(question)  # type: ignore[call-overload]
        return list(cursor.fetchall()) if cursor.description else []


def test_a_store_with_data_is_partitioned(backend: asm.Backend, postgresql_url: str) -> None:
    before = everything(backend)
    assert backend.migrate(partitions=PARTITIONS) == []
    assert everything(backend) == before
    assert backend.maintenance.health_check() == []
    found = ask(
        postgresql_url, "SELECT relid::regclass::text FROM pg_partition_tree('asm_events') WHERE isleaf ORDER BY 1"
    )
    assert [name for (name,) in found] == [f"asm_events_p{place}" for place in range(PARTITIONS)]
    with asm.open_backend("pony", url=postgresql_url) as other:
        assert asm.Capability.GLOBAL_EVENT_IDS not in other.capabilities
        assert other.capabilities == backend.capabilities


def test_the_capability_is_all_that_is_lost(backend: asm.Backend, one: asm.Session) -> None:
    assert backend.capabilities == frozenset(asm.Capability)
    backend.migrate(partitions=PARTITIONS)
    assert backend.capabilities == frozenset(asm.Capability) - {asm.Capability.GLOBAL_EVENT_IDS}
    store = backend.session_store
    other = store.save_session(asm.Session.new(agent_id="a"))
    event = store.append_event(an_event(one.id))
    assert store.append_event(an_event(other.id, id=event.id)).sequence_number == 1
    assert store.get_event(event.id, session_id=one.id) == event
    with pytest.raises(asm.UnsupportedCapabilityError):
        store.get_event(event.id)


@pytest.mark.parametrize("revision", [None, 0])
def test_a_run_never_moves_to_another_session(backend: asm.Backend, one: asm.Session, revision: int | None) -> None:
    backend.migrate(partitions=PARTITIONS)
    store = backend.session_store
    other = store.save_session(asm.Session.new(agent_id="a"))
    [run] = store.list_runs(one.id)
    with pytest.raises(asm.AlreadyExistsError, match=one.id):
        store.save_run(asm.Run.new(session_id=other.id, id=run.id), expected_revision=revision)
    store.delete_session(one.id)
    assert store.save_run(asm.Run.new(session_id=other.id, id=run.id)).session_id == other.id


def test_the_same_number_again_changes_nothing(backend: asm.Backend) -> None:
    backend.migrate(partitions=PARTITIONS)
    before = everything(backend)
    assert backend.migrate(partitions=PARTITIONS) == []
    with pytest.raises(asm.ValidationError, match="has 4 partitions"):
        backend.migrate(partitions=8)
    with pytest.raises(asm.ValidationError, match="Only the newest schema"):
        backend.migrate(LATEST_VERSION - 1, partitions=PARTITIONS)
    assert everything(backend) == before


@pytest.mark.parametrize("name", ["peewee", "pony", "sqlmodel"])
def test_a_store_is_opened_with_partitions(postgresql_url: str, name: str) -> None:
    for _ in range(2):
        with asm.open_backend(name, url=postgresql_url, migrate=True, partitions=PARTITIONS) as backend:
            assert asm.Capability.GLOBAL_EVENT_IDS not in backend.capabilities
    with pytest.raises(asm.ValidationError, match="has 4 partitions"):
        asm.open_backend(name, url=postgresql_url, migrate=True, partitions=8)


@pytest.mark.parametrize("name", ["peewee", "pony", "sqlmodel"])
@pytest.mark.parametrize("number", [1, 1025, True, "4"])
def test_an_invalid_number_is_refused_before_anything_is_created(
    postgresql_url: str, name: str, number: object
) -> None:
    with pytest.raises(asm.ValidationError, match="partitions must be an integer from 2 to 1024"):
        asm.open_backend(name, url=postgresql_url, migrate=True, schema="fresh", partitions=number)
    assert ask(postgresql_url, "SELECT to_regnamespace('fresh')") == [(None,)]


@pytest.mark.parametrize("name", ["peewee", "pony", "sqlmodel"])
def test_partitions_on_sqlite_create_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(asm.ValidationError, match="SQLite has no partitions"):
        asm.open_backend(name, url=f"sqlite:///{tmp_path}/new.db", migrate=True, partitions=PARTITIONS)
    assert list(tmp_path.iterdir()) == []


def test_sqlite_has_no_partitions(sqlite_url: str) -> None:
    with (
        asm.open_backend("peewee", url=sqlite_url, migrate=True) as backend,
        pytest.raises(asm.ValidationError, match="SQLite has no partitions"),
    ):
        backend.migrate(partitions=PARTITIONS)


def test_a_failure_changes_nothing(backend: asm.Backend, postgresql_url: str) -> None:
    before = everything(backend)
    # The last step but two finds its name in use.
    ask(postgresql_url, "CREATE FUNCTION asm_release_run_id() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with pytest.raises(asm.StorageError):
        backend.migrate(partitions=PARTITIONS)
    assert everything(backend) == before
    assert backend.capabilities == frozenset(asm.Capability)
    ask(postgresql_url, "DROP FUNCTION asm_release_run_id()")
    backend.migrate(partitions=PARTITIONS)
    assert everything(backend) == before


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("CREATE RULE quiet AS ON DELETE TO asm_events DO ALSO NOTIFY gone", "rule quiet"),
        ("CREATE POLICY own ON asm_runs USING (true)", "policy own"),
        ("CREATE VIEW recent AS SELECT id FROM asm_events", "recent|depend"),
    ],
)
def test_what_an_application_added_is_not_dropped(
    backend: asm.Backend, postgresql_url: str, addition: str, message: str
) -> None:
    ask(postgresql_url, addition)
    with pytest.raises(asm.StorageError, match=message):
        backend.migrate(partitions=PARTITIONS)
    assert backend.capabilities == frozenset(asm.Capability)
    ask(postgresql_url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def test_privileges_and_indexes_stay(backend: asm.Backend, postgresql_url: str) -> None:
    ask(postgresql_url, "GRANT SELECT, INSERT ON asm_events TO PUBLIC; GRANT UPDATE (output) ON asm_runs TO PUBLIC")
    indexes = "SELECT indexname FROM pg_indexes WHERE tablename IN ('asm_runs', 'asm_events') ORDER BY 1"
    questions = [
        "SELECT acl::text FROM pg_class, unnest(relacl) acl WHERE oid = 'asm_events'::regclass ORDER BY 1",
        "SELECT attname, attacl::text FROM pg_attribute WHERE attrelid = 'asm_runs'::regclass AND attacl IS NOT NULL",
        "SELECT conname, confrelid::regclass::text FROM pg_constraint WHERE conrelid = 'asm_runs'::regclass ORDER BY 1",
    ]
    names = ask(postgresql_url, indexes)
    before = [ask(postgresql_url, question) for question in questions]
    backend.migrate(partitions=PARTITIONS)
    assert [ask(postgresql_url, question) for question in questions] == before
    assert [name for name in ask(postgresql_url, indexes) if name != ("asm_runs_by_id",)] == names


def test_later_migrations_and_removal_work(backend: asm.Backend, postgresql_url: str) -> None:
    backend.migrate(partitions=PARTITIONS)
    before = everything(backend)
    backend.migrate(LATEST_VERSION - 1)
    assert backend.migrate() == [LATEST_VERSION]
    assert everything(backend) == before
    backend.maintenance.compact()
    backend.migrate(0)
    for catalog, name in (("pg_class", "relname"), ("pg_proc", "proname")):
        assert ask(postgresql_url, f"SELECT {name} FROM {catalog} WHERE {name} ~ '^asm_'") == []  # noqa: S608
    backend.migrate()
    assert backend.capabilities == frozenset(asm.Capability)


def test_tables_in_a_named_schema_are_partitioned(postgresql_url: str) -> None:
    with asm.open_backend("peewee", url=postgresql_url, schema="Agents", migrate=True) as backend:
        store = backend.session_store
        session = store.save_session(asm.Session.new(agent_id="a"))
        run = store.save_run(asm.Run.new(session_id=session.id))
        backend.migrate(partitions=PARTITIONS)
        store.append_event(an_event(session.id, run_id=run.id))
        assert store.save_run(run).revision == 2
        assert len(store.get_events(session.id, run_id=run.id)) == 1
        backend.migrate(0)
        left = """SELECT relname FROM pg_class WHERE relnamespace = '"Agents"'::regnamespace"""
        assert ask(postgresql_url, left) == []


@pytest.mark.parametrize("name", ["peewee", "pony", "sqlmodel"])
def test_writers_and_readers_continue_while_a_store_is_partitioned(
    backend: asm.Backend, one: asm.Session, postgresql_url: str, name: str
) -> None:
    begun, ended = threading.Barrier(3), threading.Event()
    failures: list[BaseException] = []
    with asm.open_backend(name, url=postgresql_url) as other:
        store = other.session_store
        run = store.list_runs(one.id)[0]

        def write() -> int:
            count = 0
            while not ended.is_set():
                store.append_events([an_event(one.id), an_event(one.id)])
                store.save_run(run)
                count += 2
            return count

        def read() -> int:
            while not ended.is_set():
                last = store.get_latest_sequence(one.id)
                events = store.get_events(one.id)
                assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
                assert len(events) >= last
                other.query_api.search_events(run_ids=[run.id], limit=5)
            return 0

        written: list[int] = []

        def work(task: Any) -> None:
            try:
                begun.wait(LIMIT)
                written.append(task())
            except BaseException as error:  # noqa: BLE001  shown by the test
                failures.append(error)

        threads = [threading.Thread(target=work, args=(task,)) for task in (write, read)]
        for thread in threads:
            thread.start()
        try:
            begun.wait(LIMIT)
            backend.migrate(partitions=PARTITIONS)
        finally:
            ended.set()
            for thread in threads:
                thread.join(LIMIT)
        assert failures == []
        assert store.get_latest_sequence(one.id) == 20 + sum(written)
        assert other.maintenance.health_check() == []
