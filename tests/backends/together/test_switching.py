"""Another ORM is another name in the configuration, on the data that is there."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import asm_core as asm
from asm_contract_tests.making import an_event
from asm_core.cli.program import app

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = pytest.mark.parametrize(("before", "after"), list(permutations(("sqlmodel", "peewee", "pony"), 2)))


@PAIRS
def test_an_application_goes_on_with_its_data(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASM_URL", raising=False)
    configuration = tmp_path / "asm.toml"
    configuration.write_text(f'backend = "{before}"\nurl = "{url}"\n')
    with asm.open_backend(migrate=True) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a", tags=["t"]))
        first = backend.session_store.append_event(an_event(session))
    configuration.write_text(configuration.read_text().replace(before, after))
    with asm.open_backend() as backend:
        assert backend.name == after
        assert backend.session_store.append_event(first.numbered(None)) == first
        second = backend.session_store.append_event(an_event(session))
        assert backend.session_store.get_events(session.id) == [first, second]
        assert backend.query_api.search_sessions(tags=["t"]).items == [session]
        assert backend.maintenance.health_check() == []


@PAIRS
def test_what_one_recorded_the_other_shows(url: str, before: str, after: str) -> None:
    def command(backend: str, *arguments: str) -> str:
        result = CliRunner().invoke(app, ["--backend", backend, "--url", url, *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    command(before, "run", "--agent", "a", "--", "echo", "hello")
    shown = command(before, "show", "ses_", "--json")
    assert command(after, "show", "ses_", "--json") == shown
    assert command(after, "health") == "healthy\n"
