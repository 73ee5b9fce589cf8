"""PostgreSQL refuses: it says why, in the words of the design, and the same backend goes on once it does so no more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from administrator import TABLES
from calls import EVENT, READS, WRITES, state
from psycopg import sql
from sqlalchemy import make_url

import asm_core as asm
from asm_contract_tests.together import PATIENCE, begun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from administrator import Administrator

FAILING = """
CREATE FUNCTION asm_failing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'it failed' USING ERRCODE = '{}'; END $$
"""
TRIGGER = "CREATE TRIGGER asm_failing BEFORE INSERT OR UPDATE OR DELETE ON {} EXECUTE FUNCTION asm_failing()"


@pytest.fixture
def database() -> str:
    """SQLite has tests of its own."""
    return "postgresql"


@pytest.fixture
def failing(administrator: Administrator) -> Iterator[Callable[..., None]]:
    """Return what makes each write fail with a SQLSTATE."""

    def fail(state: str, tables: tuple[str, ...] = TABLES) -> None:
        administrator.connection.execute(FAILING.format(state))  # type: ignore[call-overload]
        for table in tables:
            administrator.connection.execute(TRIGGER.format(table))  # type: ignore[call-overload]

    yield fail
    administrator.connection.execute("DROP FUNCTION IF EXISTS asm_failing CASCADE")


@pytest.fixture
def role(stored: asm.Backend, administrator: Administrator) -> Iterator[str]:
    """Return the name of a role that may connect, read, and write sessions and runs."""
    assert stored  # the tables are there
    name = f"{administrator.database}_role"
    execute = administrator.connection.execute
    identifier = sql.Identifier(name)
    execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(identifier))
    execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(identifier))
    execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(identifier))
    execute(sql.SQL("GRANT INSERT, UPDATE ON asm_sessions, asm_runs TO {}").format(identifier))
    yield name
    execute(sql.SQL("DROP OWNED BY {}").format(identifier))
    execute(sql.SQL("DROP ROLE {}").format(identifier))


@pytest.fixture
def as_role(backend_name: str, url: str, role: str) -> Iterator[Callable[..., asm.Backend]]:
    """Return what opens the store as that role."""
    place = make_url(url).set(username=role, password="secret").render_as_string(hide_password=False)  # noqa: S106
    opened = []

    def open_store(**options: object) -> asm.Backend:
        opened.append(asm.open_backend(backend_name, url=place, **options))
        return opened[-1]

    yield open_store
    for backend in opened:
        backend.close()


@pytest.mark.parametrize("name", WRITES)
def test_a_call_on_a_full_disk_raises_and_succeeds_after_space_is_freed(
    stored: asm.Backend,
    administrator: Administrator,
    failing: Callable[[str], None],
    name: str,
) -> None:
    before = state(stored)
    failing("53100")
    with pytest.raises(asm.StorageError, match=r"The disk is full .*Free space and retry") as raised:
        WRITES[name](stored)
    assert not raised.value.retryable
    assert state(stored) == before
    administrator.connection.execute("DROP FUNCTION asm_failing CASCADE")
    WRITES[name](stored)
    assert stored.maintenance.health_check() == []


@pytest.mark.parametrize(
    ("state", "kind", "message"),
    [
        ("40001", asm.StorageConnectionError, "is contended: it failed; retry"),
        ("53200", asm.StorageConnectionError, "cannot be reached: it failed; check the url, or retry"),
        ("58030", asm.StorageConnectionError, "cannot be reached: it failed; check the url, or retry"),
        ("42P01", asm.MigrationRequiredError, "not those of this version of asm-core: it failed"),
        ("42704", asm.QueryError, "The query failed: it failed"),
        ("22003", asm.QueryError, "The query failed: it failed"),
        ("XX000", asm.StorageError, "The database failed: .* it failed"),
        ("P0001", asm.StorageError, "The database failed: .* it failed"),
    ],
)
def test_each_kind_of_failure_has_its_class(
    stored: asm.Backend,
    failing: Callable[[str], None],
    state: str,
    kind: type[asm.StorageError],
    message: str,
) -> None:
    failing(state)
    for call in (WRITES["append_event"], WRITES["append_events"], WRITES["save_session"]):
        with pytest.raises(asm.StorageError, match=message) as raised:
            call(stored)
        assert type(raised.value) is kind
    assert stored.session_store.get_latest_sequence("s") == 5


@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_database_can_be_read_and_rejects_writes(
    stored: asm.Backend,
    administrator: Administrator,
    name: str,
) -> None:
    before = state(stored)
    administrator.configure(default_transaction_read_only="on")
    administrator.renew(stored)
    with pytest.raises(asm.StorageConnectionError, match=r"is read-only .* default_transaction_read_only"):
        WRITES[name](stored)
    assert state(stored) == before
    administrator.reset()
    with pytest.raises(asm.StorageConnectionError):  # on the connection of before, which this closes
        WRITES[name](stored)
    WRITES[name](stored)


def test_a_read_only_database_is_not_migrated(
    administrator: Administrator,
    backend_name: str,
    url: str,
) -> None:
    administrator.connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    administrator.configure(default_transaction_read_only="on")
    with pytest.raises(asm.StorageConnectionError, match="is read-only"):
        asm.open_backend(backend_name, url=url, migrate=True)
    with pytest.raises(asm.MigrationRequiredError):
        asm.open_backend(backend_name, url=url)


@pytest.mark.parametrize("name", ["append_event", "append_events", "flush", "delete_session", "register"])
def test_a_call_without_a_privilege_raises_and_succeeds_after_the_grant(
    stored: asm.Backend,
    administrator: Administrator,
    as_role: Callable[[], asm.Backend],
    role: str,
    name: str,
) -> None:
    before = state(stored)
    backend = as_role()
    for call in READS.values():
        call(backend)
    with pytest.raises(asm.StorageError, match=r"A privilege is missing .permission denied"):
        WRITES[name](backend)
    assert state(stored) == before
    grant = "GRANT ALL ON ALL TABLES IN SCHEMA public TO {}"
    administrator.connection.execute(sql.SQL(grant).format(sql.Identifier(role)))
    WRITES[name](backend)


def test_too_many_connections_is_a_retryable_error(
    administrator: Administrator,
    as_role: Callable[..., asm.Backend],
    role: str,
) -> None:
    administrator.connection.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 1").format(sql.Identifier(role)))
    backend = as_role()
    inside, done = threading.Event(), threading.Event()

    def hold_the_only_one() -> None:
        with backend.transaction():
            backend.session_store.get_session("s")
            inside.set()
            done.wait(PATIENCE)

    with begun(hold_the_only_one) as holding:
        inside.wait(PATIENCE)
        with pytest.raises(asm.StorageConnectionError, match=r"too many connections for role .*retry"):
            backend.session_store.get_session("s")
        done.set()
        holding.result(PATIENCE)
    assert backend.session_store.get_session("s").id == "s"


@pytest.mark.parametrize("name", ["append_events", "flush", "restore_session"])
def test_a_disk_that_fills_up_in_the_middle_leaves_no_part(
    stored: asm.Backend, failing: Callable[..., None], name: str
) -> None:
    before = state(stored)
    failing("53100", ("asm_events",))
    with pytest.raises(asm.StorageError, match="The disk is full"):
        WRITES[name](stored)
    assert state(stored) == before


def test_a_full_disk_in_a_transaction_undoes_that_call_and_no_more(
    stored: asm.Backend,
    failing: Callable[[str], None],
) -> None:
    failing("53100")
    with stored.transaction():
        with pytest.raises(asm.StorageError, match="The disk is full"):
            stored.session_store.append_event(EVENT)
        assert stored.session_store.get_latest_sequence("s") == 5
