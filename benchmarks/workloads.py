"""What is measured: each workload times the floor and a contender once, and checks what both did."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asm_core as asm
from benchmarks.floor import Floor, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SINGLE = 500
EVENTS = 10_000
BATCH = 500
LINES = 200_000
PRINTER = (sys.executable, "-c", f"for number in range({LINES}): print('line number', number)")


def seconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def payload(number: int) -> dict[str, Any]:
    """Return what an event carries: about 100 bytes of JSON."""
    return {"role": "assistant", "content": f"word number {number} of an answer that goes on", "tokens": number}


def new_event(number: int) -> asm.Event:
    """Return an event of the contender."""
    return asm.Event.new(type="message_streamed", session_id="s", run_id="r", data=payload(number))


class Pair:
    """The floor and a backend, each on a database of its own."""

    def __init__(self, backend: str, room: Path) -> None:
        """Make both."""
        self.floor = Floor(room / "floor.db")
        self.backend = asm.open_backend(backend, url=f"sqlite:///{room}/{backend}.db", migrate=True)
        self.store = self.backend.session_store
        self.store.save_session(asm.Session.new(id="s", agent_id="a"))

    def close(self) -> None:
        """Check what was stored, and close both."""
        stored = [event.sequence_number for event in self.store.get_events("s")]
        assert stored == list(range(1, len(stored) + 1)), "the contender's log has a gap"
        assert len(self.floor.read()) == len(stored), "the two did not do the same"
        assert self.backend.maintenance.health_check() == []
        self.backend.close()
        self.floor.connection.close()


def single_append(pair: Pair) -> tuple[float, float]:
    """Append events one by one, each durable; the median call."""
    floor = [seconds(lambda number=number: pair.floor.append([payload(number)])) for number in range(SINGLE)]
    ours = [seconds(lambda number=number: pair.store.append_event(new_event(number))) for number in range(SINGLE)]
    return statistics.median(floor), statistics.median(ours)


def batches(pair: Pair) -> tuple[float, float]:
    """Append 10,000 events in batches of 500."""

    def starts() -> Iterator[int]:
        return iter(range(0, EVENTS, BATCH))

    floor = seconds(lambda: [pair.floor.append([payload(n) for n in range(s, s + BATCH)]) for s in starts()])
    ours = seconds(lambda: [pair.store.append_events([new_event(n) for n in range(s, s + BATCH)]) for s in starts()])
    return floor, ours


def whole_log(pair: Pair) -> tuple[float, float]:
    """Read all events of the session."""
    return seconds(pair.floor.read), seconds(lambda: pair.store.get_events("s"))


def recorded_lines(backend: str, room: Path) -> tuple[float, float]:
    """Run a command that prints 200,000 lines: into a pipe read line by line, and with `asm run`, start included."""
    url = f"sqlite:///{room}/lines.db"
    run = (str(Path(sys.executable).with_name("asm")), "run", "--backend", backend, "--url", url, "--quiet")
    floor = seconds(lambda: read_lines(PRINTER))
    ours = seconds(
        lambda: subprocess.run((*run, "--agent", "a", "--", *PRINTER), stdout=subprocess.DEVNULL, check=True)
    )
    with asm.open_backend(backend, url=url) as opened:
        (session,) = opened.session_store.list_sessions()
        texts = (event.data.get("text") for event in opened.session_store.follow_events(session.id, idle_timeout=0))
        lines = [text for text in texts if text is not None]
        opened.session_store.delete_session(session.id)
    assert lines == [f"line number {number}" for number in range(LINES)], "lines were lost, or came out of order"
    return floor, ours
