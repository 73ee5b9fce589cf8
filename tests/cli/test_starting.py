"""The start of `asm`: what it imports, and the processor time that it takes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from helping import HELP, WIDTH, rendered
from processes import LIMIT, completer, starter

from asm_core import open_backend
from asm_core.cli.program import COMMANDS

if TYPE_CHECKING:
    from processes import Complete

    from asm_core.cli.lazy import LazyCommand

CODE = (
    "import sys; from asm_core.cli import main; sys.argv[0] = 'asm'; status = main();"
    "print(*sys.modules, file=sys.stderr); sys.exit(status)"
)
OF_STORES = {
    *("msgspec", "pluggy", "sqlite3"),
    *(f"asm_core.{room}" for room in ("config", "plugins", "ports", "models", "recording", "sql", "memory")),
}
OF_PARSING = {"importlib.metadata", "asyncio", "pydantic", "rich"}
"""What Typer imports when it parses options."""
COMPLETION = {"_ASM_COMPLETE": "complete_bash", "COMP_WORDS": "asm se", "COMP_CWORD": "1"}
LINE = 78 - 6 - len("providers")
"""The greatest length of a line in the list of commands that is not cut on a terminal of 80 columns."""


STANDARD: Final = "import enum, re, shutil, threading, typing"
"""What the start of any such program imports of the standard library."""
HELPED: Final = 1.4
"""The most that `asm --help` may take, in times of these imports; it takes 1.17 of them."""
LISTED: Final = 1.5
"""The most that `asm sessions` may take, in times of importing its backend; it takes 1.07 to 1.35."""


def imported(process: Complete, *arguments: str) -> set[str]:
    return set(process(*arguments).stderr.splitlines()[-1].split())


def of_commands(modules: set[str]) -> set[str]:
    return {name for name in modules if name.startswith("asm_core.cli.commands.")}


@pytest.fixture
def process(tmp_path: Path, environment: dict[str, str]) -> Complete:
    """Run `asm` to its end; the last line of standard error names the modules that it imported."""
    return completer(starter((sys.executable, "-c", CODE), tmp_path, environment))


def processor_time(*command: str, environment: dict[str, str]) -> float:
    """Return the seconds that a process computed: they do not grow while others use the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def ratio(floor: str, *arguments: str, rounds: int, environment: dict[str, str]) -> float:
    """Return what `asm` takes, in times of what the code of the floor does; both alternately, each at its best."""
    asm = str(Path(sys.executable).with_name("asm"))
    pairs = [
        (
            processor_time(sys.executable, "-c", floor, environment=environment),
            processor_time(asm, *arguments, environment=environment),
        )
        for _ in range(rounds)
    ]
    floors, taken = zip(*pairs, strict=True)
    return float(min(taken) / min(floors))


def test_help_takes_little_more_than_the_imports_of_the_standard_library(environment: dict[str, str]) -> None:
    environment.pop("COLUMNS", None)
    assert ratio(STANDARD, "--help", rounds=12, environment=environment) <= HELPED


@pytest.mark.parametrize("backend", ["sqlmodel", "peewee", "pony"])
def test_sessions_takes_less_than_1_5_times_the_import_of_its_backend(
    backend: str, environment: dict[str, str]
) -> None:
    environment["ASM_BACKEND"] = backend
    open_backend(backend, url=environment["ASM_URL"], migrate=True).close()
    floor = f"from asm_backend_{backend} import *"
    assert ratio(floor, "sessions", rounds=5, environment=environment) <= LISTED


def test_the_stored_help_is_what_typer_prints() -> None:
    assert HELP.read_text("utf-8") == rendered(), "The commands or Typer have changed. Run `nox -s stubs`."


@pytest.mark.parametrize("columns", [WIDTH // 2, WIDTH - 1, WIDTH, 200])
def test_help_fits_the_terminal(columns: int, tmp_path: Path, environment: dict[str, str]) -> None:
    process = completer(starter((sys.executable, "-m", "asm_core"), tmp_path, {**environment, "COLUMNS": str(columns)}))
    lines = process("--help").stdout.splitlines()
    assert max(map(len, lines)) <= max(50, columns)
    if columns >= WIDTH:
        assert "\n".join([*lines, ""]) == HELP.read_text("utf-8")


def test_help_imports_nothing_of_typer(process: Complete) -> None:
    assert not imported(process, "--help") & {"typer", "rich", "inspect", "subprocess"}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], [], ["--help", "--version"]], ids=str)
def test_help_imports_no_command_and_nothing_of_a_store(process: Complete, arguments: list[str]) -> None:
    modules = imported(process, *arguments)
    assert not of_commands(modules)
    assert sorted(modules & (OF_STORES | OF_PARSING)) == []


def test_an_unknown_command_imports_no_command(process: Complete) -> None:
    modules = imported(process, "sesions")
    assert not of_commands(modules)
    assert sorted(modules & OF_STORES) == []


def test_the_completion_of_a_command_imports_no_command(tmp_path: Path) -> None:
    complete = completer(starter((sys.executable, "-c", CODE), tmp_path, {**os.environ, **COMPLETION}))
    result = complete()
    assert result.stdout.split() == ["sessions"]
    modules = set(result.stderr.split())
    assert not of_commands(modules)
    assert sorted(modules & OF_STORES) == []


def test_a_command_imports_no_other_command_and_no_provider(process: Complete) -> None:
    assert process("db", "upgrade").returncode == 0
    modules = imported(process, "sessions")
    assert of_commands(modules) == {"asm_core.cli.commands.sessions", "asm_core.cli.commands.listing"}
    assert sorted(modules & {"asm_core.recording", "asm_core.providing", "asm_core.aio", "rich"}) == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_line_of_the_list_begins_the_help_of_its_command(command: LazyCommand) -> None:
    assert command.loaded.help.replace("\n", " ").startswith(str(command.help).removesuffix("."))


def test_the_lines_of_the_lists_are_not_cut() -> None:
    of_db = next(command for command in COMMANDS if command.name == "db").loaded.commands.values()
    for command in (*COMMANDS, *of_db):
        assert len(command.help.partition("\n\n")[0]) <= LINE, command.name
