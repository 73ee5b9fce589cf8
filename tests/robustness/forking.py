"""A program that forks again and again while its threads use a store; it prints what went wrong."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import traceback

import asm_core as asm

PATIENCE = 60.0
"""Seconds that a child has."""
LARGE = "x" * 2000

name, url, forks = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = {"synchronous": "normal"} if url.startswith("sqlite") else {}
backend = asm.open_backend(name, url=url, migrate=True, **options)
store = backend.session_store
written, shared, batches = (store.save_session(asm.Session.new(agent_id="a")).id for _ in range(3))
ended = threading.Event()
faults: list[str] = []


def event(session_id: str, text: str = "") -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session_id, data={"text": text})


def guard(work):  # noqa: ANN001, ANN201
    def guarded() -> None:
        try:
            work()
        except BaseException:  # noqa: BLE001  printed at the end
            faults.append(traceback.format_exc())

    return threading.Thread(target=guarded, daemon=True)


def write() -> None:
    while not ended.is_set():
        store.append_event(event(written))


def read() -> None:
    while not ended.is_set():
        store.get_events(written, limit=50)
        backend.query_api.search_sessions()


def follow() -> None:
    for _ in store.follow_events(written):
        if ended.is_set():
            return


def migrate() -> None:
    while not ended.is_set():
        backend.migrate()
        time.sleep(0.01)


def use() -> None:
    store.append_event(event(shared))


def open_another() -> None:
    with asm.open_backend(name, url=url) as own:
        own.session_store.append_event(event(shared))


def look() -> None:
    store.get_events(batches, limit=1)


def fork_again() -> None:
    expect(os.fork() or end(look), "grandchild")


def close() -> None:
    backend.close()


def commit() -> None:
    try:
        store.append_event(event(batches))
    except asm.StorageError as error:
        if "before the fork" in str(error):
            return
    raise AssertionError("the child wrote in the transaction of its parent")


def leave() -> None:
    """End as a program does, with its exit handlers and its garbage."""
    sys.exit(0)


OUTSIDE = (use, open_another, look, fork_again, close, leave)
INSIDE = (look, fork_again, close, commit, leave)


def end(work) -> int:  # noqa: ANN001
    status = 1
    try:
        work()
        status = 0
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001  the status says it
        traceback.print_exc()
    os._exit(status)


def expect(child: int, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            if status:
                faults.append(f"{what}: status {status}")
            return
        time.sleep(0.002)
    faults.append(f"{what}: hangs")
    os.kill(child, 9)
    os.waitpid(child, 0)


def fork(work) -> None:  # noqa: ANN001
    expect(os.fork() or end(work), work.__name__)


threads = [guard(work) for work in (write, write, read, follow, migrate)]
for thread in threads:
    thread.start()
instants = random.Random(7)  # noqa: S311  no secret
expected = 0
for number in range(forks):
    if number % 2:
        with backend.transaction():
            store.append_events([event(batches, LARGE) for _ in range(50)])
            fork(INSIDE[number // 2 % len(INSIDE)])
            store.append_event(event(batches))
    else:
        time.sleep(instants.uniform(0, 0.003))
        work = OUTSIDE[number // 2 % len(OUTSIDE)]
        fork(work)
        expected += work in {use, open_another}
ended.set()
store.append_event(event(written))
for thread in threads:
    thread.join(PATIENCE)
    if thread.is_alive():
        faults.append("a thread of the parent hangs")
for session_id, size in ((written, None), (shared, expected), (batches, forks // 2 * 51)):
    last = store.get_latest_sequence(session_id)
    if size not in {None, last}:
        faults.append(f"{last} events where {size} were acknowledged")
    found = [event.sequence_number for event in store.get_events(session_id)]
    if found != list(range(1, last + 1)):
        faults.append(f"gaps among {last} numbers")
faults += backend.maintenance.health_check()
backend.close()
sys.stdout.write("\n".join(faults))
