"""``kill -9`` of ``asm run`` at any instant: nothing that it had shown is lost, and nothing is left half done."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import LIMIT

import asm_core as asm_library

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = 3_000
COUNTS = f"for number in range({LINES}): print(number, flush=True)"
CHANCE = random.Random(20261121)  # noqa: S311  instants, no secrets
# In parts of the time that a run takes. Most of it passes until the database is made, and most happens afterwards.
MOMENTS = [round(CHANCE.uniform(*part), 3) for part in [(0, 0.6)] * 4 + [(0.6, 1)] * 13 + [(1, 1.2)]]
COUNTED = [1, *sorted(CHANCE.randrange(2, LINES) for _ in range(10)), LINES]


def command(place: Path) -> tuple[str, ...]:
    """Return a run of a command that can be found by its last argument."""
    return ("run", "--quiet", "--agent", "a", "--", sys.executable, "-c", COUNTS, str(place))


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Measure how many seconds a run takes."""
    place = tmp_path_factory.mktemp("measure")
    program = [str(Path(sys.executable).with_name("asm")), "--url", f"sqlite:///{place}/asm.db", *command(place)]
    began = time.monotonic()
    subprocess.run(program, cwd=place, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT)
    return time.monotonic() - began


@pytest.fixture
def check(here: Callable[..., Any], url: str, tmp_path: Path, until: Any) -> Callable[[str], None]:
    """Look at what a killed run left, and go on working with it."""

    def look(shown: str) -> None:
        lines = [line.rstrip("\n") for line in shown.splitlines(keepends=True) if line.endswith("\n")]
        if here("health").exit_code != 0:
            assert (lines, stored(url, tmp_path)) == ([], None)
            assert here("db", "upgrade").exit_code == 0
        assert here("health").stdout == "healthy\n"
        log = stored(url, tmp_path) or []
        assert [event.sequence_number for event in log] == list(range(1, len(log) + 1))
        texts = [event.data["delta"].removesuffix("\n") for event in log if event.type == "message_streamed"]
        assert texts == [str(number) for number in range(len(texts))]
        assert texts[: len(lines)] == lines
        close(here)
        until(lambda: not running(tmp_path))

    return look


def stored(url: str, place: Path) -> list[asm_library.Event] | None:
    """Return the log of the only session; None where there is no database, or an empty one."""
    if not (place / "asm.db").exists():
        return None
    with (
        contextlib.suppress(asm_library.MigrationRequiredError),
        asm_library.open_backend("sqlmodel", url=url) as backend,
    ):
        sessions = backend.session_store.list_sessions()
        assert len(sessions) <= 1
        return backend.session_store.get_events(sessions[0].id) if sessions else []
    return None


def close(here: Callable[..., Any]) -> None:
    """Close the session as `asm maintain` does, and look that it is closed and the database works."""
    before = json.loads(here("sessions", "--json").stdout)
    assert here("maintain").exit_code == 0
    for session in before:
        found = json.loads(here("show", session["id"], "--json").stdout)
        ended = "completed" if session["status"] == "completed" else "failed"
        assert found["session"]["status"] == found["runs"][0]["status"] == ended
        assert found["events"][-1]["type"] == f"session_{ended}"
    assert here("health").stdout == "healthy\n"


def running(place: Path) -> list[Path]:
    """Return the processes whose command line names a place."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(place).encode() in path.read_bytes():
                found.append(path)
    return found


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_moment(start: Any, check: Any, tmp_path: Path, duration: float, moment: float) -> None:
    with (tmp_path / "shown").open("w+") as shown:
        with start(*command(tmp_path), stdout=shown) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment * duration)
            process.kill()
        shown.seek(0)
        check(shown.read())


@pytest.mark.parametrize("count", COUNTED)
def test_killed_after_a_line(start: Any, check: Any, tmp_path: Path, count: int) -> None:
    with start(*command(tmp_path)) as process:
        lines = [process.stdout.readline() for _ in range(count)]
        process.kill()
        check("".join(lines) + process.stdout.read())
    assert len(lines) == count


def test_what_another_process_had_shown_stays_and_it_ends_when_the_session_is_closed(
    start: Any, here: Any, url: str, tmp_path: Path
) -> None:
    waits = "import time\nfor number in range(10 ** 9): print(number, flush=True); time.sleep(0.001)"
    with start("run", "--agent", "a", "--", sys.executable, "-c", waits, str(tmp_path)) as process:
        process.stdout.readline()
        (session,) = json.loads(here("sessions", "--json").stdout)
        with start("tail", session["id"], "--follow", "--json", "-n", "100000") as tail:
            shown = [json.loads(tail.stdout.readline()) for _ in range(200)]
            process.kill()
            process.stdout.close()
            process.wait()
            assert here("maintain").exit_code == 0
            shown += [json.loads(line) for line in tail.stdout]
            assert tail.stderr.read() == ""
    assert tail.returncode == 0
    assert [event.to_dict() for event in stored(url, tmp_path) or []] == shown
    assert shown[-1]["type"] == "session_failed"


def test_the_command_of_a_killed_run_ends_at_its_next_line(start: Any, tmp_path: Path, until: Any) -> None:
    forever = "while True: print('still here', flush=True)"
    with start("run", "--agent", "a", "--", sys.executable, "-c", forever, str(tmp_path)) as process:
        process.stdout.readline()
        assert len(running(tmp_path)) >= 2
        process.kill()
        process.stdout.close()
    until(lambda: not running(tmp_path))


@pytest.mark.parametrize("moment", [0.8, 0.9, 1.0])
def test_a_killed_import_leaves_all_or_nothing(
    start: Any, here: Any, tmp_path: Path, duration: float, moment: float
) -> None:
    start(*command(tmp_path), stdout=subprocess.DEVNULL).communicate()
    (session,) = json.loads(here("sessions", "--json").stdout)
    file, other = str(tmp_path / "x.jsonl"), ("--url", f"sqlite:///{tmp_path}/other.db")
    here("export", session["id"], "-o", file)
    assert here("db", "upgrade", *other).exit_code == 0
    with start("import", file, *other) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment * duration)
        process.kill()
    assert here("health", *other).stdout == "healthy\n"
    assert [found["events"] for found in json.loads(here("sessions", "--json", *other).stdout)] in ([], [LINES + 8])
    assert here("import", file, *other).exit_code == 0
    assert here("health", *other).stdout == "healthy\n"
