"""Commands, run by the manager and recorded in a store."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakes import HookedStore, Outage, log, texts, types
from processes import LIMIT, Process, ended

import asm_core as asm
from asm_core import ProviderError, SessionStore, StorageConnectionError
from asm_core.commands import CommandProvider
from asm_core.commands.group import is_alive
from asm_core.recording.abandoned import close_abandoned
from asm_core.recording.manager import SessionManager

if TYPE_CHECKING:
    from pathlib import Path

    from asm_core import Event

BEGINNING = ["session_created", "session_started", "run_started", "message_sent", "tool_call_started"]
FAILURE = ["tool_call_failed", "run_failed", "session_failed"]
WAITS = {"command": ["sh", "-c", "echo $$; exec sleep 1000"]}


@pytest.fixture
def manager(store: SessionStore) -> SessionManager:
    return SessionManager(store, CommandProvider())


def at_first_line(action: Any) -> Any:
    """Return an on_event that does something when the command has said something."""

    def on_event(event: Event) -> None:
        if event.type == "message_streamed":
            action(event)

    return on_event


def test_a_command_is_recorded(manager: SessionManager, store: SessionStore) -> None:
    result = manager.run_once({"command": ["sh", "-c", "echo one; echo two"]}, agent_id="builder")
    ending = ["message_streamed", "message_streamed", "tool_call_completed", "run_completed", "session_completed"]
    assert types(log(store)) == BEGINNING + ending
    assert texts(result.events) == ["one", "two"]
    assert result.output == store.get_run(result.run_id).output == log(store)[-3].data["tool_output"]


def test_the_message_sent_is_the_command_line(manager: SessionManager, store: SessionStore) -> None:
    manager.run_once({"command": ["true", "--really"]})
    assert log(store)[3].data == {"role": "user", "content": "true --really"}


@pytest.mark.parametrize(("argv", "exit_code"), [(["sh", "-c", "exit 7"], 7), (["no-such-program"], 127), (["/"], 126)])
def test_a_failure_is_recorded(manager: SessionManager, store: SessionStore, argv: list[str], exit_code: int) -> None:
    with pytest.raises(ProviderError) as raised:
        manager.run_once({"command": argv})
    assert raised.value.details["exit_code"] == exit_code
    assert types(log(store)) == BEGINNING + FAILURE


def test_a_timeout_ends_the_command(manager: SessionManager, store: SessionStore) -> None:
    with pytest.raises(ProviderError, match="timeout"):
        manager.run_once(WAITS, timeout=0.3)
    assert types(log(store))[-3:] == ["tool_call_failed", "run_timeout", "session_failed"]
    assert not any(is_alive(int(text)) for text in texts(log(store)))


def test_cancelling_ends_the_command(manager: SessionManager, store: SessionStore) -> None:
    with pytest.raises(ProviderError, match="cancelled"):
        manager.run_once(WAITS, on_event=at_first_line(lambda event: manager.cancel_run(event.run_id)))
    assert types(log(store))[-3:] == ["tool_call_failed", "run_cancelled", "session_cancelled"]
    assert not is_alive(int(texts(log(store))[0]))


def test_an_interruption_ends_the_command(manager: SessionManager, store: SessionStore) -> None:
    main = threading.main_thread().ident or 0
    with pytest.raises(KeyboardInterrupt):
        manager.run_once(WAITS, on_event=at_first_line(lambda _: signal.pthread_kill(main, signal.SIGINT)))
    assert types(log(store))[-3:] == ["tool_call_failed", "run_cancelled", "session_cancelled"]
    assert not is_alive(int(texts(log(store))[0]))


def test_an_exception_of_on_event_ends_the_command(manager: SessionManager, store: SessionStore) -> None:
    with pytest.raises(ZeroDivisionError):
        manager.run_once(WAITS, on_event=at_first_line(lambda _: 1 / 0))
    assert types(log(store))[-3:] == FAILURE
    assert not is_alive(int(texts(log(store))[0]))


def test_an_outage_that_ends_loses_nothing(store: SessionStore) -> None:
    numbers = list(map(str, range(1, 5_001)))
    manager = SessionManager(HookedStore(store, Outage("1", 2)), CommandProvider())
    manager.run_once({"command": ["seq", "5000"]})
    assert texts(log(store)) == numbers


def test_an_outage_that_does_not_end_ends_the_command(store: SessionStore, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = 'echo $$; read x <"$1"; echo lost; exec sleep 1000'
    manager = SessionManager(HookedStore(store, Outage("lost", math.inf)), CommandProvider(), storage_timeout=0.01)
    with pytest.raises(StorageConnectionError) as raised:
        manager.run_once(
            {"command": ["sh", "-c", script, "sh", str(fifo)]},
            on_event=at_first_line(lambda _: fifo.write_text("x\n")),
        )
    assert raised.value.details["events_not_recorded"] in (1, 2)  # whether the end of the command was handed over, too
    assert not is_alive(int(texts(log(store))[0]))


def test_eight_commands_at_once_on_one_store(manager: SessionManager) -> None:
    results: list[Any] = []
    command = {"command": ["seq", "500"]}
    threads = [threading.Thread(target=lambda: results.append(manager.run_once(command))) for _ in range(8)]
    for thread in threads:
        thread.start()
    ended(*threads)
    assert [texts(result.events) for result in results] == [list(map(str, range(1, 501)))] * 8


FLOOD = """
import resource, sys
import asm_core as asm
from asm_core.commands import CommandProvider
from asm_core.recording.manager import SessionManager
with asm.open_backend("sqlmodel", url=sys.argv[1], migrate=True) as backend:
    manager = SessionManager(backend.session_store, CommandProvider())
    manager.run_once({"command": ["seq", "5000"]})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = manager.run_once({"command": ["seq", "200000"]})
    number = 0
    for event in result.events:
        if event.type == "message_streamed":
            number += 1
            assert event.data["delta"] == f"{number}\\n", (event, number)
    assert number == 200_000, number
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_flood_is_recorded_whole_and_in_order_without_being_held_in_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FLOOD, f"sqlite:///{tmp_path}/asm.db"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.stderr == ""
    assert int(done.stdout) < 24 << 10  # kilobytes; the events themselves are 200 MB


SHOWS = """
import sys
import asm_core as asm
from asm_core.commands import CommandProvider
from asm_core.recording.manager import SessionManager
with asm.open_backend("sqlmodel", url=sys.argv[1]) as backend:
    SessionManager(backend.session_store, CommandProvider()).run_once(
        {"command": [sys.executable, "-u", "-c", "for i in range(10_000_000): print(i)"]},
        on_event=lambda event: print(event.session_id, event.sequence_number, event.id, flush=True),
    )
"""


def test_what_was_shown_outlives_a_killed_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/asm.db"
    chance = random.Random(1)  # noqa: S311  instants, no secrets
    with asm.open_backend("sqlmodel", url=url, migrate=True) as backend:
        for _ in range(6):
            with Process([sys.executable, "-c", SHOWS, url], stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout
                lines = [process.stdout.readline() for _ in range(chance.randrange(1, 3_000))]
                process.kill()
                lines += process.stdout.readlines()
            shown = [line.split() for line in lines if line.endswith("\n")]
            session_id = shown[0][0]
            stored = {str(event.sequence_number): event.id for event in backend.session_store.get_events(session_id)}
            assert {number: event_id for _, number, event_id in shown}.items() <= stored.items()
            assert backend.maintenance.health_check() == []
            assert close_abandoned(backend.session_store) == [session_id]
            assert backend.session_store.get_session(session_id).status == "failed"
