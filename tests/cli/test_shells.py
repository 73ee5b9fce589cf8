"""Completion in real shells: `asm` installs it, and a terminal uses it. Tests of zsh and fish need these shells."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import typer
from processes import completer, starter
from terminals import Terminal

from asm_core import open_backend
from asm_core.cli.parsing.arguments import complete_session
from asm_core.cli.program import app
from asm_core.models import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMPT: Final = b"ready> "
TITLES: Final = ("\\$(touch ran)", "\\`touch ran`", '\\"; touch ran; "', "'; touch ran; '", "a:b %F{red} (x))")
"""Titles that a shell would take for code."""
SETTINGS: Final = {
    "bash": (".bashrc", "PS1='ready> '\nHISTFILE=\n"),
    "zsh": (".zshrc", "PROMPT='ready> '\n"),
    "fish": (".config/fish/config.fish", "function fish_prompt; echo -n 'ready> '; end\n"),
}


@pytest.fixture(params=SETTINGS)
def shell(request: pytest.FixtureRequest, tmp_path: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    """Install the completion from within a shell, and start another one that has it."""
    path = shutil.which(request.param)
    if path is None and request.param != "bash":
        pytest.skip(f"{request.param} is not installed")
    assert path is not None
    home = tmp_path / "home"
    file, settings = SETTINGS[request.param]
    (home / file).parent.mkdir(parents=True)
    (home / file).write_text(settings)
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)  # else fish makes those of all programs
    kept = {name: value for name, value in environment.items() if not name.startswith(("XDG_", "ZDOTDIR"))}
    search = f"{Path(sys.executable).parent}:{environment['PATH']}"
    variables = {**kept, "HOME": str(home), "PATH": search, "TERM": "xterm", "SHELL": path}
    install = completer(starter((path, "-c", "asm --install-completion; true"), tmp_path, variables))
    assert f"{request.param} completion installed" in install().stdout
    with open_backend(url=environment["ASM_URL"], migrate=True) as backend:
        for number, title in enumerate(TITLES):
            backend.session_store.save_session(Session.new(id=f"{number}-chosen", agent_id="builder", title=title))
    with Terminal(path, "-i", cwd=tmp_path, env=variables) as terminal:
        terminal.until(PROMPT)
        yield terminal
        terminal.type(b"exit\r")
        terminal.ended()


def test_commands_ids_agents_and_options_are_completed(shell: Terminal, tmp_path: Path) -> None:
    shell.type(b"asm tit\t3-c\tFirst\r")
    shell.until(b"3-chosen has the title")
    shell.type(b"asm title la\tNewest\r")
    shell.until(b"4-chosen has the title")
    shell.type(b"asm sessions --agent bu\t--js\t>listed\r")
    shell.type(b"asm db stat\t\r")
    shell.until(b"up to date")
    assert '"title":"Newest"' in (tmp_path / "listed").read_text()


def test_a_title_is_no_code(shell: Terminal, tmp_path: Path) -> None:
    for number, _ in enumerate(TITLES):
        shell.type(f"asm title {number}-c\tDone\r".encode())
        shell.until(f"{number}-chosen has the title".encode())
    assert not (tmp_path / "ran").exists()
    assert b"unmatched" not in shell.shown


def test_names_that_a_shell_would_quote_are_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASM_URL", f"sqlite:///{tmp_path}/asm.db")
    with open_backend(migrate=True) as backend:
        for name in ("plain-1", "$(touch ran)", "a b", "it's", "`x`", "a;b", "-x", "~x"):
            backend.session_store.save_session(Session.new(id=name, agent_id="agent"))
    context = typer.Context(typer.main.get_command(app))
    assert [name for name, _ in complete_session(context, "")] == ["last", "plain-1"]
