"""W8, importing asm_core; and commands of `asm`, start included."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asm_core as asm
from benchmarks.measured import attempt, in_rounds, of_pairs
from benchmarks.workloads import IMPORT, RECORDED, STARTED, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measured import Measured
    from benchmarks.places import Place
    from benchmarks.setting import Setting

IMPORT_NAME: Final = "W8 import asm_core"
HELP_NAME: Final = "asm --help, start included"
LISTED_NAME: Final = "asm sessions, start included"
RECORDED_NAME: Final = "asm run of 200,000 lines, start included"
IMPORTS: Final = 15
LINES: Final = 200_000
DEPENDENCIES: Final = "msgspec, pluggy"
NEEDED: Final = "asm_core, asm_core.plugins, asm_core.models"
"""What a program that opens a store imports of core: `asm_core` itself imports its modules at first use."""
ORMS: Final = ("sqlmodel", "sqlalchemy", "peewee", "playhouse", "pony", "psycopg", "psycopg2", "sqlite3")
_TIMED: Final = """\
import sys, time
started = time.perf_counter()
import {names}
print(time.perf_counter() - started, *(name for name in {orms} if name in sys.modules))
"""


def imports(setting: Setting) -> Iterator[Measured]:  # noqa: ARG001  it takes no database
    """Yield what importing asm_core takes, against its dependencies alone, each in a fresh interpreter."""
    yield from attempt(IMPORT_NAME, "", "", _imports)


def _imports() -> list[Measured]:
    compared = partial(of_pairs, workload=IMPORT_NAME, database="", backend="", bar=IMPORT)
    return in_rounds(lambda: (_import(DEPENDENCIES), _import(NEEDED)), IMPORTS, compared)


def _import(names: str) -> float:
    code = _TIMED.format(names=names, orms=ORMS)
    taken, *orms = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not orms, f"importing {names} imports {', '.join(orms)}"
    return float(taken)


def helped(setting: Setting) -> Iterator[Measured]:  # noqa: ARG001  it takes no database
    """Yield what `asm --help` takes, against importing Typer."""
    yield from attempt(HELP_NAME, "", "", _started, HELP_NAME, "", "import typer", ("--help",))


def listed(setting: Setting) -> Iterator[Measured]:
    """Yield what `asm sessions` takes on an empty store, against importing its backend."""
    place = setting.places.get(("sqlite", True))
    for backend in setting.backends if place else ():
        url = place.new_url(())
        asm.open_backend(backend, url=url, migrate=True).close()
        code = f"from asm_backend_{backend} import *"
        arguments = ("sessions", "--backend", backend, "--url", url)
        yield from attempt(LISTED_NAME, "sqlite", backend, _started, LISTED_NAME, backend, code, arguments)


def _started(workload: str, backend: str, code: str, arguments: Sequence[str]) -> list[Measured]:
    def take() -> tuple[float, float]:
        return _process(sys.executable, "-c", code), _process(_asm(), *arguments)

    database = "sqlite" if backend else ""
    compared = partial(of_pairs, workload=workload, database=database, backend=backend, bar=STARTED)
    return in_rounds(take, IMPORTS, compared)


def _process(*command: str) -> float:
    return seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))


def _asm() -> str:
    return str(Path(sys.executable).with_name("asm"))


def recorded_lines(setting: Setting) -> Iterator[Measured]:
    """Yield what recording a command that prints 200,000 lines takes, against the pipe read line by line."""
    place = setting.places.get(("sqlite", True))
    for backend in setting.backends if place else ():
        database = "sqlite, durable"
        yield from attempt(RECORDED_NAME, database, backend, _recorded, place, database, backend, setting.rounds)


def _recorded(place: Place, database: str, backend: str, rounds: int) -> list[Measured]:
    def take() -> tuple[float, float]:
        return seconds(read_lines, printer()), _record(place.new_url(()), backend)

    compared = partial(of_pairs, workload=RECORDED_NAME, database=database, backend=backend, bar=RECORDED)
    return in_rounds(take, rounds, compared)


def printer() -> tuple[str, ...]:
    """Return a command that prints numbered lines."""
    return sys.executable, "-c", f"for number in range({LINES}): print('line number', number)"


def read_lines(command: Sequence[str]) -> None:
    """Run a command into a pipe, and read that line by line."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert sum(1 for _ in child.stdout) == LINES


def _record(url: str, backend: str) -> float:
    """Return the seconds of `asm run`; check that it stored all lines."""
    asm_run = (_asm(), "run", "--backend", backend, "--url", url, "--quiet")
    command = (*asm_run, "--agent", "measured", "--", *printer())
    taken = seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))
    with asm.open_backend(backend, url=url) as opened:
        (session,) = opened.session_store.list_sessions()
        texts = (event.data.get("text") for event in opened.session_store.follow_events(session.id, idle_timeout=0))
        lines = [text for text in texts if text is not None]
    assert lines == [f"line number {number}" for number in range(LINES)], "lines were lost, or came out of order"
    return taken
