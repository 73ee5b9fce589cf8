"""Which store a command works on, and what becomes of errors."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from processes import LIMIT, completer, starter

from asm_core.cli.parsing.store import Choice
from asm_core.errors import QueryError, StorageConnectionError
from asm_core.memory import MemoryBackend
from asm_core.memory.query_api import MemoryQueryAPI

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from asm_core.models import Session


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Note what is asked for when a store is opened."""
    calls: list[tuple[Any, ...]] = []

    def note(
        name: str | None, *, url: str | None, store: str | None, config: str | None, options: dict[str, Any]
    ) -> tuple[Any, ...]:
        assert options == {}
        return (name, url, store, config)

    def opened(asked: tuple[Any, ...], *, migrate: bool) -> MemoryBackend:
        calls.append((*asked, migrate))
        return MemoryBackend()

    monkeypatch.setattr("asm_core.cli.parsing.store.resolve_store", note)
    monkeypatch.setattr("asm_core.cli.parsing.store.open_store", opened)
    return calls


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("sessions",), (None, None, None, None, False)),
        (("--backend", "b", "--url", "u", "sessions"), ("b", "u", None, None, False)),
        (("sessions", "-b", "b", "--url", "u"), ("b", "u", None, None, False)),
        (("-b", "b", "sessions", "--url", "u"), ("b", "u", None, None, False)),
        (("-b", "b", "--url", "u", "sessions", "-b", "c"), ("c", "u", None, None, False)),
        (("--store", "analytics", "usage"), (None, None, "analytics", None, False)),
        (("health", "--store", "analytics"), (None, None, "analytics", None, False)),
        (("--config", "f", "usage"), (None, None, None, "f", False)),
        (("health", "--config", "f", "--store", "s"), (None, None, "s", "f", False)),
        (("import", "/dev/null"), (None, None, None, None, True)),
        (("run", "--agent", "a", "--url", "u", "--", "true", "--url", "v"), (None, "u", None, None, True)),
    ],
)
def test_a_store_is_selected_before_or_after_the_command(
    asm: Callable[..., Result],
    opened: list[tuple[Any, ...]],
    arguments: tuple[str, ...],
    asked: tuple[Any, ...],
) -> None:
    asm(*arguments)
    assert opened == [asked]


def test_the_environment_and_files_are_asked_too(process: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "asm.toml").write_text(f"[stores.other]\nbackend = 'sqlmodel'\nurl = 'sqlite:///{tmp_path}/other.db'\n")
    assert process("run", "--agent", "a", "--store", "other", "--", "true").returncode == 0
    assert process("run", "--agent", "b", "--", "true").returncode == 0
    assert [one["agent_id"] for one in json.loads(process("sessions", "--json", "--store", "other").stdout)] == ["a"]
    assert [one["agent_id"] for one in json.loads(process("sessions", "--json").stdout)] == ["b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-b", "sqlmodle"), "No backend named 'sqlmodle'. Did you mean 'sqlmodel'?"),
        (("--store", "nowhere"), "No store is configured as [stores.nowhere]"),
        (("-b", "memory", "--url", "x"), "The memory backend takes no url"),
    ],
)
def test_a_store_that_cannot_be_is_an_error(
    asm: Callable[..., Result], arguments: tuple[str, ...], message: str
) -> None:
    result = asm("sessions", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StorageConnectionError("The database is gone."), (69, "error: The database is gone.\n")),
        (QueryError("bad\x1b[31m\nnews"), (1, "error: bad\\x1b[31m\\nnews\n")),
        (OSError(errno.ENOSPC, "No space left on device", "f"), (1, "error: No space left on device: f\n")),
        (KeyboardInterrupt(), (130, "")),
        (BrokenPipeError(), (141, "")),
    ],
)
def test_errors_become_a_message_and_an_exit_status(
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    outcome: tuple[int, str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    fill()
    monkeypatch.setattr(MemoryQueryAPI, "search_sessions", fail)
    result = asm("sessions")
    assert (result.exit_code, result.stderr, result.stdout) == (*outcome, "")


@pytest.mark.parametrize(
    "arguments",
    [("sessions",), ("show", "x"), ("tail", "x"), ("usage",), ("export", "x", "-o", "-"), ("health",), ("maintain",)],
)
def test_reading_commands_make_no_database(
    process: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    result = process(*arguments)
    assert (result.returncode, result.stdout) == (69, "")
    assert result.stderr.startswith("error: ")
    assert "asm.db" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_printed(asm: Callable[..., Result]) -> None:
    assert asm("--version").stdout.count(".") == 2


def test_without_a_command_the_commands_are_listed(asm: Callable[..., Result]) -> None:
    assert "Commands:\n  run " in asm("--help").stdout
    assert asm("nonsense").exit_code == 2


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_asm_without_the_extra_names_what_to_install(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None; from asm_core.cli import main; sys.exit(main(['backends']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=LIMIT)
    if missing == "rich":  # a pipe needs none of it
        assert done.returncode == 0
        return
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: The command line needs typer. Install it: pip install 'asm-core[cli]'\n"


def test_what_needs_no_extra_loads_none() -> None:
    program = "import sys, asm_core.cli; sys.exit(bool({'typer', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=LIMIT).returncode == 0


@pytest.mark.parametrize(
    ("options", "variable", "source"),
    [
        (("--url", "sqlite:///no.db"), "", "The URL sqlite:///no.db was given on the command line."),
        ((), "sqlite:///no.db", "The URL sqlite:///no.db comes from the environment variable ASM_URL."),
        ((), "", "The URL sqlite:///no.db comes from PLACE/asm.toml."),
    ],
)
def test_a_missing_database_is_named_with_the_source_of_its_url(
    tmp_path: Path, environment: dict[str, str], options: tuple[str, ...], variable: str, source: str
) -> None:
    (tmp_path / "asm.toml").write_text('url = "sqlite:///no.db"')
    start = starter((sys.executable, "-m", "asm_core"), tmp_path, {**environment, "ASM_URL": variable})
    result = completer(start)("sessions", *options)
    assert result.returncode == 69
    assert result.stderr.startswith(f"error: There is no database at {tmp_path}/no.db. ")
    assert result.stderr.endswith(f"\n  {source.replace('PLACE', str(tmp_path))}\n")


def test_a_command_on_the_same_store_repeats_the_options_that_selected_it() -> None:
    choice = Choice(backend="peewee", url="sqlite:///a b.db")
    assert choice.call("show", "last") == "asm --backend peewee --url 'sqlite:///a b.db' show last"
