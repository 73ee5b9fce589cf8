"""The database is lost while a model answers."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest
from model_server import LIMIT
from psycopg import sql
from vendors import VENDORS

import asm_core as asm
from asm_core.recording.abandoned import close_abandoned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import ModelServer, Stream
    from vendors import Vendor

    from asm_core import StoredEvent

PATIENCE = 0.5
_REFUSE = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
_TERMINATE = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s AND application_name <> ''"
)
BOTH = pytest.mark.parametrize(
    ("orm", "vendor"),
    list(zip(("sqlmodel", "peewee", "pony"), VENDORS, strict=True)),
    ids=lambda value: value if isinstance(value, str) else value.name,
)


class Doorkeeper:
    """A connection to another database of the server, which can close the one under test."""

    def __init__(self, connection: psycopg.Connection, url: str) -> None:
        self.url = url
        self._connection = connection
        self._database = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])

    def close(self) -> None:
        """End all connections of backends, and refuse others."""
        self._allow("false")
        self._connection.execute(_TERMINATE, (self._database,))

    def open(self) -> None:
        """Accept connections again."""
        self._allow("true")

    def _allow(self, value: str) -> None:
        self._connection.execute(sql.SQL(_REFUSE).format(sql.Identifier(self._database), sql.SQL(value)))


@pytest.fixture
def database(postgresql_server: str, postgresql_url: str) -> Iterator[Doorkeeper]:
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        found = Doorkeeper(connection, postgresql_url)
        try:
            yield found
        finally:
            found.open()


def interrupted(stream: Stream, lost: threading.Event) -> Stream:
    """Return a stream that waits before its last piece of text."""
    place = max(number for number, (_, data) in enumerate(stream.events) if "rning." in json.dumps(data))
    return stream._replace(events=[*stream.events[:place], ("", lambda: lost.wait(LIMIT)), *stream.events[place:]])


def types(store: asm.SessionStore, session_id: str) -> list[str]:
    return [str(event.type) for event in store.get_events(session_id)]


@BOTH
def test_a_turn_whose_database_is_lost_fails_and_the_next_one_works(
    orm: str, vendor: Vendor, server: ModelServer, database: Doorkeeper
) -> None:
    lost = threading.Event()
    server.script.extend([interrupted(vendor.text("Good morning.", end="hang"), lost), vendor.text("Still here.")])

    def cut(event: StoredEvent) -> None:
        if event.type == "message_streamed":
            database.close()
            lost.set()

    with asm.open_backend(orm, url=database.url, migrate=True) as backend:
        store = backend.session_store
        manager = asm.SessionManager(store, vendor.provider(server), storage_timeout=PATIENCE)
        session_id = manager.start_session().id
        with pytest.raises(asm.StorageError) as caught:
            manager.run(session_id, "hello", on_event=cut)
        assert caught.value.retryable
        assert caught.value.details["events_not_recorded"] >= 1
        assert caught.value.details["session_id"] == session_id
        assert server.abandoned.wait(LIMIT)  # the answer is not paid for any longer
        with pytest.raises(asm.StorageConnectionError):
            manager.run(session_id, "and now?")

        database.open()
        (dead,) = recovered_runs(store, session_id)
        assert dead.status == "running"
        assert types(store, session_id)[-1] == "message_streamed"
        assert manager.run(session_id, "and now?").output["content"] == "Still here."
        closed, answered = store.list_runs(session_id)
        assert (closed.id, closed.status, answered.status) == (dead.id, "failed", "completed")
        events = store.get_events(session_id)
        assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
        assert [event.type for event in events if event.run_id == dead.id][-2:] == ["error_occurred", "run_failed"]
        messages = asm.read_messages(store, session_id)
        assert [message.role for message in messages] == ["user", "assistant", "user", "assistant"]
        assert messages[1].interrupted


def recovered_runs(store: asm.SessionStore, session_id: str) -> list[asm.Run]:
    """Return the runs of a session, as soon as the pool has replaced its lost connections."""
    for _ in range(10):
        try:
            return store.list_runs(session_id)
        except asm.StorageConnectionError:
            continue
    return store.list_runs(session_id)


@BOTH
def test_recovery_closes_the_run_that_was_lost(
    orm: str, vendor: Vendor, server: ModelServer, database: Doorkeeper
) -> None:
    called = threading.Event()

    def weather(city: str) -> str:
        assert called.wait(LIMIT)  # the call is recorded by another thread
        database.close()
        return f"clear sky in {city}"

    def note(event: StoredEvent) -> None:
        if event.type == "tool_call_started":
            called.set()

    server.script.extend([vendor.call("weather", {"city": "Rome"}), vendor.text("Sunny.", end="hang")])
    with asm.open_backend(orm, url=database.url, migrate=True) as backend:
        store = backend.session_store
        provider = vendor.provider(server, tools=[weather])
        manager = asm.SessionManager(store, provider, storage_timeout=PATIENCE)
        with pytest.raises(asm.StorageConnectionError) as caught:
            manager.run_once("Rome?", on_event=note)
        database.open()
        (dead,) = recovered_runs(store, caught.value.details["session_id"])
        assert "tool_call_completed" not in types(store, dead.session_id)
        assert close_abandoned(store) == [dead.session_id]
        assert store.get_run(dead.id).status == "failed"
        assert store.get_session(dead.session_id).status == "failed"
        assert close_abandoned(store) == []
        (_, _, result) = asm.read_messages(store, dead.session_id)
        assert result.interrupted
