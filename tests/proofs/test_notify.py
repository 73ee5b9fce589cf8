"""With notify=True, PostgreSQL notifies of committed appends; without it, nothing notifies or listens."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from processes import Process

import asm_core as asm
from asm_contract_tests import OpenBackend, WaitingContract
from asm_contract_tests.making import a_session, an_event, some_events
from asm_contract_tests.together import PATIENCE, begun
from asm_core.event_log import waiting
from asm_core.sql.postgresql.listening import __name__ as logger_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from listening import Listeners
    from transaction_pooler import TransactionPooler

WRITER = """
import sys
import asm_core as asm

_, name, url, schema, session_id = sys.argv
with asm.open_backend(name, url=url, schema=schema or None, notify=True) as backend:
    for line in sys.stdin:
        event = asm.Event.new(type="message_sent", session_id=session_id, data={"n": int(line)})
        backend.session_store.append_event(event)
"""
FORKED = r"""
import os
import sys
import threading
import asm_core as asm
from asm_core.event_log import waiting

waiting.SHORTEST_PAUSE = waiting.LONGEST_PAUSE = 600.0
_, name, url, session_id = sys.argv
backend = asm.open_backend(name, url=url, notify=True)
store = backend.session_store

def follow(said):
    for event in store.follow_events(session_id):
        os.write(1, f"{said} {event.data['n']}\n".encode())

threading.Thread(target=follow, args=["parent"], daemon=True).start()
sys.stdin.readline()
child = os.fork()
if not child:
    threading.Thread(target=follow, args=["child"], daemon=True).start()
    sys.stdin.readline()
    backend.close()
    os._exit(0)
os.write(1, f"{os.waitpid(child, 0)[1]}\n".encode())
sys.stdin.read()
backend.close()
"""


@pytest.fixture
def database() -> str:
    """SQLite sends no notifications."""
    return "postgresql"


@pytest.fixture
def telling(open_backend: OpenBackend) -> Iterator[asm.Backend]:
    """Return a handle with the option."""
    with open_backend(notify=True) as opened:  # type: ignore[call-arg]
        yield opened


@pytest.fixture
def session(telling: asm.Backend) -> asm.Session:
    return telling.session_store.save_session(a_session())


class TestContractWithNotify(WaitingContract):
    """Notifications change no result."""

    @pytest.fixture
    def open_backend(self, backend_name: str, url: str) -> OpenBackend:
        return lambda: asm.open_backend(backend_name, url=url, migrate=True, notify=True)


# -- notifications -------------------------------------------------------------------------------------------------


def append_again(store: asm.SessionStore) -> None:
    first = store.append_event(an_event("s"))
    store.append_events([changed_back(first), an_event("t")])


def changed_back(event: asm.Event) -> asm.Event:
    return asm.Event.from_dict({**event.to_dict(), "sequence_number": None})


def flush(store: asm.SessionStore) -> None:
    store.flush(asm.ExecutionResult(a_session(id="u"), None, [an_event("u"), an_event("s")]))


def restore(store: asm.SessionStore) -> None:
    store.restore_session(a_session(id="copy"), [], [an_event("copy").numbered(3)])


CALLS: dict[str, tuple[Callable[[asm.SessionStore], Any], list[str]]] = {
    "first append": (lambda store: store.append_event(an_event("t")), ["t"]),
    "append": (lambda store: store.append_event(an_event("s")), ["s"]),
    "batch": (lambda store: store.append_events(some_events("s", 50)), ["s"]),
    "batch over sessions": (lambda store: store.append_events([an_event(name) for name in "tst"]), ["s", "t"]),
    "a repeat beside a new event": (append_again, ["s", "t"]),
    "flush": (flush, ["s", "u"]),
    "restore": (restore, ["copy"]),
}


def two_sessions(store: asm.SessionStore) -> None:
    for name in ("s", "t"):
        store.save_session(a_session(id=name))
    store.append_event(an_event("s"))


@pytest.mark.parametrize("name", CALLS)
def test_an_append_notifies_each_session_once(telling: asm.Backend, listeners: Listeners, name: str) -> None:
    two_sessions(telling.session_store)
    call, sessions = CALLS[name]
    with listeners.told() as told:
        call(telling.session_store)
    assert sorted(told) == sessions


def test_appends_do_not_notify_without_the_option(backend: asm.Backend, listeners: Listeners) -> None:
    two_sessions(backend.session_store)
    with listeners.told() as told:
        for call, _ in CALLS.values():
            call(backend.session_store)
    assert told == []


def test_a_rolled_back_append_does_not_notify(telling: asm.Backend, listeners: Listeners) -> None:
    store = telling.session_store
    two_sessions(store)

    def undone() -> None:
        with telling.transaction():
            store.append_events(some_events("s", 2))
            store.append_event(an_event("gone"))

    with listeners.told() as told:
        with pytest.raises(asm.SessionNotFoundError):
            undone()
        with telling.transaction():
            store.append_event(an_event("t"))
    assert told == ["t"]


# -- listeners -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_polling")
@pytest.mark.parametrize("schema", ["", "agents"])
def test_a_commit_of_another_process_wakes_waiters(
    backend_name: str,
    url: str,
    listeners: Listeners,
    schema: str,
) -> None:
    with asm.open_backend(backend_name, url=url, migrate=True, schema=schema or None, notify=True) as backend:
        session = backend.session_store.save_session(a_session())
        follow = backend.session_store.follow_events(session.id)
        command = [sys.executable, "-c", WRITER, backend_name, url, schema, session.id]
        with Process(command, stdin=subprocess.PIPE, text=True, bufsize=1) as writer:
            assert writer.stdin is not None
            for number in range(5):
                with begun(lambda: next(follow)) as coming:
                    listeners.wait_for(1)
                    writer.stdin.write(f"{number}\n")
                    assert coming.result(PATIENCE).data == {"n": number}


@pytest.mark.usefixtures("no_polling")
def test_the_end_of_a_transaction_wakes_waiters_of_the_process(
    telling: asm.Backend,
    session: asm.Session,
    listeners: Listeners,
) -> None:
    follow = telling.session_store.follow_events(session.id)
    for _ in range(3):
        with begun(lambda: next(follow)) as coming:
            listeners.wait_for(1)
            with telling.transaction():
                event = telling.session_store.append_event(an_event(session))
            assert coming.result(PATIENCE) == event


def test_polling_finds_appends_without_notify(
    telling: asm.Backend, backend: asm.Backend, session: asm.Session, listeners: Listeners
) -> None:
    follow = telling.session_store.follow_events(session.id)
    for _ in range(3):
        with begun(lambda: next(follow)) as coming:
            listeners.wait_for(1)
            event = backend.session_store.append_event(an_event(session))
            assert coming.result(PATIENCE) == event


def test_the_backend_listens_only_while_there_are_waiters(
    monkeypatch: pytest.MonkeyPatch,
    telling: asm.Backend,
    session: asm.Session,
    listeners: Listeners,
) -> None:
    store = telling.session_store
    store.append_event(an_event(session))
    assert len(store.get_events(session.id)) == 1
    assert listeners.count() == 0
    monkeypatch.setattr(waiting, "BUSY_SECONDS", 0.01)
    follow = store.follow_events(session.id, after=1)
    with begun(lambda: next(follow)) as coming:
        listeners.wait_for(1)
        store.append_event(an_event(session))
        coming.result(PATIENCE)
    listeners.wait_for(0)


def test_waiters_share_one_connection(telling: asm.Backend, session: asm.Session, listeners: Listeners) -> None:
    store = telling.session_store
    other = store.save_session(a_session())
    follows = [store.follow_events(each.id) for each in (session, other, session)]
    with begun(lambda: next(follows[0])), begun(lambda: next(follows[1])), begun(lambda: next(follows[2])):
        listeners.wait_for(1)
        store.append_event(an_event(session))
        listeners.wait_for(1)
        store.append_event(an_event(other))
    assert listeners.count() == 1


def test_the_backend_does_not_listen_without_the_option(backend: asm.Backend, listeners: Listeners) -> None:
    session = backend.session_store.save_session(a_session())
    assert list(backend.session_store.follow_events(session.id, idle_timeout=0.1)) == []
    assert listeners.count() == 0


# -- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("short_rest")
def test_a_lost_listening_connection_is_opened_again(
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    telling: asm.Backend,
    backend: asm.Backend,
    listeners: Listeners,
) -> None:
    session = telling.session_store.save_session(a_session())
    follow = telling.session_store.follow_events(session.id)
    with begun(lambda: next(follow)) as coming:
        listeners.wait_for(1)
        listeners.terminate()
        event = backend.session_store.append_event(an_event(session))
        assert coming.result(PATIENCE) == event
    with begun(lambda: next(follow)) as coming:
        listeners.wait_for(1)
        request.getfixturevalue("no_polling")
        event = telling.session_store.append_event(an_event(session))
        assert coming.result(PATIENCE) == event
    assert [record.levelno for record in caplog.records if record.name == logger_name] == [logging.WARNING]


@pytest.mark.usefixtures("short_rest")
@pytest.mark.parametrize("error", [RuntimeError("no thread left"), asm.StorageError("no driver")])
def test_polling_finds_everything_without_listen(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    telling: asm.Backend,
    backend: asm.Backend,
    error: Exception,
) -> None:
    tried = threading.Event()

    def refuse() -> None:
        tried.set()
        raise error

    session = telling.session_store.save_session(a_session())
    monkeypatch.setattr(telling._database._connector, "connect_alone", refuse)  # type: ignore[attr-defined]
    follow = telling.session_store.follow_events(session.id)
    for _ in range(3):
        with begun(lambda: next(follow)) as coming:
            assert tried.wait(PATIENCE)
            event = backend.session_store.append_event(an_event(session))
            assert coming.result(PATIENCE) == event
    telling.close()
    assert str(error) in caplog.text
    assert caplog.text.count("LISTEN failed") == 1


def test_closing_wakes_waiters_and_ends_listening(
    telling: asm.Backend,
    session: asm.Session,
    listeners: Listeners,
) -> None:
    follow = telling.session_store.follow_events(session.id)
    with begun(lambda: next(follow)) as coming:
        listeners.wait_for(1)
        telling.close()
        listeners.wait_for(0)
        with pytest.raises(asm.StorageError, match="closed"):
            coming.result(PATIENCE)


def test_a_forked_child_listens_by_itself_and_the_parent_goes_on(
    backend_name: str,
    url: str,
    telling: asm.Backend,
    session: asm.Session,
    listeners: Listeners,
) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED, backend_name, url, session.id]
    with Process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as forked:
        assert forked.stdin is not None
        assert forked.stdout is not None
        listeners.wait_for(1)
        forked.stdin.write("fork\n")
        listeners.wait_for(2)
        telling.session_store.append_event(an_event(session, data={"n": 1}))
        assert sorted([forked.stdout.readline(), forked.stdout.readline()]) == ["child 1\n", "parent 1\n"]
        forked.stdin.write("close\n")
        assert forked.stdout.readline() == "0\n"
        listeners.wait_for(1)
        for number in (2, 3):
            telling.session_store.append_event(an_event(session, data={"n": number}))
            assert forked.stdout.readline() == f"parent {number}\n"
        forked.stdin.close()
        assert forked.wait(PATIENCE) == 0
    listeners.wait_for(0)


def test_polling_finds_everything_through_a_pooler(backend_name: str, pooler: TransactionPooler) -> None:
    options = {"migrate": True, "prepare_threshold": 0, "notify": True}
    with asm.open_backend(backend_name, url=pooler.url, **options) as pooled:  # type: ignore[arg-type]
        session = pooled.session_store.save_session(a_session())
        follow = pooled.session_store.follow_events(session.id)
        with asm.open_backend(backend_name, url=pooler.url, prepare_threshold=0, notify=True) as other:
            for _ in range(3):
                with begun(lambda: next(follow)) as coming:
                    event = other.session_store.append_event(an_event(session))
                    assert coming.result(PATIENCE) == event
