"""docs/cli.md names every command and every option, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from asm_core.cli import exits
from asm_core.cli.program import app

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
EVERYWHERE = {"--help", "--version", "--backend", "-b", "--url", "--store", "--config"}


def commands(command: Any, name: str = "asm") -> Iterator[tuple[str, Any]]:
    yield name, command
    for child, found in getattr(command, "commands", {}).items():
        yield from commands(getattr(found, "loaded", found), f"{name} {child}")


ALL = dict(commands(get_command(app)))


def options(command: Any) -> set[str]:
    both = (option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts))
    return {option for option in both if option.startswith("-")}


def section(name: str) -> str:
    """Return what the page says of a command; those of a group share a section, a paragraph and a table each."""
    top = " ".join(name.split()[:2])
    text = PAGE.partition(f"\n## `{top}`\n")[2].partition("\n## ")[0]
    if name != top:
        text = text.partition(f"\n`{name}` ")[2].partition(f"\n`{top} ")[0]
    return text


@pytest.mark.parametrize("name", [name for name in ALL if name != "asm"])
def test_every_command_has_a_section(name: str) -> None:
    assert section(name).strip()


@pytest.mark.parametrize("name", [name for name in ALL if name not in {"asm", "asm db", "asm state"}])
def test_a_section_names_the_options_of_its_command_and_no_others(name: str) -> None:
    cells = re.findall(r"^\| (`-.*?) \|", section(name), re.MULTILINE)
    documented = set(re.findall(r"`(--?[a-zA-Z-]+)", " ".join(cells)))
    assert documented == options(ALL[name]) - EVERYWHERE


def test_the_options_that_choose_a_store_are_named() -> None:
    text = PAGE.partition("\n## Store selection\n")[2].partition("\n## ")[0]
    assert all(f"`{option}" in text for option in ("--backend", "-b", "--url", "--store", "--config"))


@pytest.mark.parametrize(
    "name",
    [name for name in ALL if name not in {"asm", "asm db", "asm db sql", "asm state", "asm backends", "asm providers"}],
)
def test_a_command_that_works_on_a_store_lets_it_be_chosen(name: str) -> None:
    assert {"--backend", "-b", "--url", "--store", "--config"} <= options(ALL[name])


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_option_has_a_help_text(name: str) -> None:
    assert ALL[name].help
    for parameter in ALL[name].params:
        assert parameter.help, f"{name}: {parameter.name}"


def test_every_exit_status_is_documented() -> None:
    text = PAGE.partition("\n## Exit status\n")[2].partition("\n## ")[0]
    for name, status in vars(exits).items():
        if isinstance(status, int):
            shown = f"{status} + n" if name == "SIGNALLED" else str(status)
            assert f"\n| {shown} |" in text, name


def test_every_column_is_documented() -> None:
    from asm_core.cli.commands import sessions, usage  # noqa: PLC0415
    from asm_core.cli.commands.store import backends, state  # noqa: PLC0415
    from asm_core.cli.output.history import events  # noqa: PLC0415
    from asm_core.querying.accounting.groups import GROUPS  # noqa: PLC0415
    from asm_core.querying.accounting.periods import PERIODS  # noqa: PLC0415

    columns = {
        "sessions": sessions.COLUMNS,
        "show": events.COLUMNS,
        "usage": (*GROUPS, *PERIODS, *usage.NUMBERS),
        "backends": backends.COLUMNS,
        "state": state.COLUMNS,
    }
    for name, of_command in columns.items():
        for column in of_command:
            assert f"`{column}`" in section(f"asm {name}"), column
