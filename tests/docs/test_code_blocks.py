"""Every code block of the documentation is run, according to its language."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from blocks import PAGES, ROOT, Block, blocks_of, prose_of
from model_server import ModelServer, weather_model
from processes import LIMIT

import asm_core as asm
from asm_core.cli.program import start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Environment

README = ROOT / "README.md"
POSTGRESQL = "postgresql://me@localhost/application"
"""What the pages call the test's own database."""
SET_UP = [block for block in blocks_of(README) if block.language == "bash"][:2]
"""The blocks that .ci/run runs unchanged: they set up a machine, which a test must not do."""


class Reader:
    """Executes the blocks of a page in order, like its reader, in a separate directory."""

    def __init__(self, place: Path, environment: Environment, postgresql_url: str) -> None:
        self.place = place
        self.environment = environment
        self.postgresql_url = postgresql_url
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def read(self, block: Block) -> None:
        if block.file is not None:
            path = self.place / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        else:
            LANGUAGES[block.language](self, block)

    def python(self, block: Block) -> None:
        code = block.text.replace(POSTGRESQL, self.postgresql_url)
        exec(compile(code, str(block), "exec"), self.names)  # noqa: S102  our own documentation

    def bash(self, block: Block) -> None:
        if block in SET_UP:
            return
        text = block.text.replace(POSTGRESQL, self.postgresql_url)
        self.environment.run("bash", "-e", "-o", "pipefail", "-c", text, cwd=self.place)

    def toml(self, block: Block) -> None:
        """Pass it to the command that reads such a file."""
        path = self.place / "block.toml"
        path.write_text(block.text, "utf-8")
        table = tomllib.loads(block.text)
        store = ["--url", f"sqlite:///{self.place}/for_toml.db"]
        assert start([*store, "db", "upgrade"]) == 0
        if "retention" in table:
            assert start([*store, "maintain", "--dry-run", "--policy", str(path)]) == 0
        else:
            assert start([*store, "usage", "--pricing", str(path)]) == 0

    def shown(self, block: Block) -> None:
        """Skip an example of text: there is nothing to run."""
        assert block.text.strip()

    def json(self, block: Block) -> None:
        json.loads(block.text)


LANGUAGES: dict[str, Callable[[Reader, Block], None]] = {
    "python": Reader.python,
    "bash": Reader.bash,
    "toml": Reader.toml,
    "json": Reader.json,
    "sql": Reader.shown,  # tests/sql/postgresql/test_roles.py executes it
    "text": Reader.shown,
    "mermaid": Reader.shown,
}


@pytest.mark.timeout(600)  # two pages run the contract suite
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run(
    page: Path, tmp_path: Path, environment: Environment, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ASM_BACKEND", "ASM_URL", "ASM_READ_URL", "ASM_STORE", "ASM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    reader = Reader(tmp_path, environment, postgresql_url)
    if page == README:
        record_the_first_run(reader)
    with ModelServer(otherwise=weather_model) as server:
        for vendor in ("ANTHROPIC", "OPENAI"):
            monkeypatch.setenv(f"{vendor}_API_KEY", "sk-test")
            monkeypatch.setenv(f"{vendor}_BASE_URL", server.url)
        for block in blocks_of(page):
            reader.read(block)


def record_the_first_run(reader: Reader) -> None:
    """Do what the README's first command does once all is set up."""
    command = SET_UP[0].text.rpartition(" && ")[2]
    assert command.startswith("asm run ")
    reader.environment.run("bash", "-e", "-c", command, cwd=reader.place)


def test_output_in_the_readme_is_real(tmp_path: Path, environment: Environment) -> None:
    reader = Reader(tmp_path, environment, POSTGRESQL)
    record_the_first_run(reader)
    _, shown = [block.text for block in blocks_of(README) if block.language == "text"]
    command, _, output = shown.removeprefix("$ ").partition("\n")
    printed = environment.run("bash", "-e", "-c", command, cwd=tmp_path)
    assert facts_of(output) - {"git"} <= facts_of(printed)  # here is no repository
    assert "\nagent\tbuilder\nstatus\tcompleted\n" in printed


def facts_of(output: str) -> set[str]:
    """Return the names of what is shown of a session above its log."""
    return {re.split("  |\t", line)[0] for line in output.partition("\n\n")[0].splitlines()}


def test_the_set_up_blocks_are_those_that_ci_runs() -> None:
    awk = re.search(r"awk .*README\.md\"", (ROOT / ".ci" / "run").read_text("utf-8"))
    assert awk is not None
    for number, block in enumerate(SET_UP, start=1):
        command = awk[0].replace("$1", str(number)).replace("$checkout", str(ROOT))
        shown = subprocess.check_output(command, shell=True, text=True, timeout=LIMIT)  # noqa: S602  our own script
        assert shown == block.text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_is_indented_only(page: Path) -> None:
    # Such a block names no language, and nobody would run it.
    assert [line for line in prose_of(page) if line.startswith("    ")] == []


def configurations() -> list[Block]:
    named = [block for page in PAGES for block in blocks_of(page) if block.file in {"asm.toml", "pyproject.toml"}]
    return [block for block in named if "project" not in tomllib.loads(block.text)]


@pytest.mark.parametrize("block", configurations(), ids=str)
def test_every_store_of_a_configuration_can_be_opened(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert block.file is not None
    (tmp_path / block.file).write_text(block.text, "utf-8")
    table = tomllib.loads(block.text)
    table = table if block.file == "asm.toml" else table["tool"]["asm"]
    for name in (None, *table.get("stores", {})):
        with asm.open_backend(store=name, migrate=True) as backend:
            assert backend.maintenance.health_check() == []
