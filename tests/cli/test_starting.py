"""What the start of `asm` imports: the list of commands imports none of them, and a command only its own module."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from processes import completer, starter

from asm_core.cli.program import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

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
WIDTH = 78 - 6 - len("providers")
"""The greatest length of a line in the list of commands that is not cut on a terminal of 80 columns."""


def imported(process: Complete, *arguments: str) -> set[str]:
    return set(process(*arguments).stderr.splitlines()[-1].split())


def of_commands(modules: set[str]) -> set[str]:
    return {name for name in modules if name.startswith("asm_core.cli.commands.")}


@pytest.fixture
def process(tmp_path: Path, environment: dict[str, str]) -> Complete:
    """Run `asm` to its end; the last line of standard error names the modules that it imported."""
    return completer(starter((sys.executable, "-c", CODE), tmp_path, environment))


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []], ids=str)
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
        assert len(command.help.partition("\n\n")[0]) <= WIDTH, command.name
