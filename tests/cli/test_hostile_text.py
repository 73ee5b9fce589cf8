"""No command shows what a terminal might obey or what is invisible, wherever it comes from: all commands are walked."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import threading
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import typer
from processes import ended
from typer.testing import CliRunner

from asm_core.cli.parsing.store import Choice
from asm_core.cli.program import app, start
from asm_core.memory import MemoryBackend
from asm_core.models import Artifact, Event, Run, Session
from asm_core.plugins.discovery import Offer
from asm_core.transfer import dump_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asm_core.ports import Backend

FORGED = "error: forged"
SEQUENCES = "\x1b[2J\x1b]52;c;eA==\x07\x1b]8;;http://x\x1b\\\x9b31m\x90\x85\r\b\x7f"
INVISIBLE = (
    "\u200b\u200c\u200d\u2060\ufeff\xad\u034f\u115f\u3164\U000e0001\U000e0041\U000e007f\U000e0101\ufe00\ufe0f\ufe0f"
)
DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\u2029"
HOSTILE = f"h{SEQUENCES}{INVISIBLE}{DIRECTIONS}\n{FORGED}\n\tend"
ARGUMENT = f"{HOSTILE}\udcff"
"""On a command line there may be bytes that are no text, too."""
STYLES = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[2K|\x1b\[1A")
BAD_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each command of the program, by its path."""
    group = group or typer.main.get_command(app)
    for name, found in group.commands.items():
        command = getattr(found, "loaded", found)
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands())

ARGUMENTS: dict[tuple[str, ...], list[list[str]]] = {
    ("run",): [["--agent", HOSTILE, "--tag", HOSTILE, "--", "true"], ["--agent", "a", "--", f"no{ARGUMENT}"]],
    ("ask",): [[HOSTILE], [HOSTILE, "--session", "ID"]],
    ("chat",): [[], ["ID"]],
    ("sessions",): [[], ["--deleted", "--all"]],
    ("show",): [["ID"], ["h"]],
    ("tail",): [["ID"], ["ID", "--follow"]],
    ("output",): [["ID", "--since", ARGUMENT], ["ID", "--replay"]],  # the output itself is written as it is
    ("grep",): [["h"], ["end", "-C", "2", "--session", "ID"], [ARGUMENT]],
    ("usage",): [[], ["--session", "ID"]],
    ("export",): [["ID", "-o", f"PLACE/{'-'.join(ARGUMENT.split('/'))}"], ["ID", "-o", f"{ARGUMENT}/x"]],
    ("import",): [["FILE"], ["OTHER"], [ARGUMENT]],
    ("title",): [["ID", HOSTILE], ["ID", ARGUMENT]],
    ("tag",): [["ID", HOSTILE], ["ID", "--remove", HOSTILE]],
    ("fork",): [["ID"], ["ID", "--at", "1"]],
    ("delete",): [["ID"], ["ID", "--permanently", "--yes"]],
    ("undelete",): [["ID"]],
    ("erase",): [[HOSTILE, "--yes"]],
    ("state", "namespaces"): [[], [ARGUMENT]],
    ("state", "list"): [[HOSTILE], [HOSTILE, HOSTILE, "--all"], [ARGUMENT]],
    ("state", "show"): [[HOSTILE, HOSTILE], [HOSTILE, ARGUMENT]],
    ("state", "delete"): [[HOSTILE, HOSTILE, "--yes"]],
    ("copy",): [["--to", ARGUMENT], ["--from", ARGUMENT, "--to", "sqlite:///copy.db"]],
    ("backup",): [[f"PLACE/{ARGUMENT}"]],
    ("maintain",): [[], ["--dry-run"], ["--policy", ARGUMENT], ["--policy", "POLICY"]],
    ("health",): [[]],
    ("backends",): [[]],
    ("providers",): [[]],
    ("db", "status"): [[]],
    ("db", "upgrade"): [[]],
    ("db", "downgrade"): [["--to", "0", "--yes"]],
    ("db", "sql"): [
        ["--dialect", "postgresql"],
        ["--dialect", "postgresql", "--schema", HOSTILE],
        ["--dialect", ARGUMENT],
    ],
}
"""Arguments with which each command shows what it can."""


def test_no_command_is_forgotten() -> None:
    assert ARGUMENTS.keys() == ALL.keys()


def mistakes(command: Any) -> Iterator[list[str]]:
    """Yield wrong arguments for a command, each with something hostile in it."""
    yield [f"--{ARGUMENT}"]
    yield [ARGUMENT] * 4
    for parameter in command.params:
        option = next((name for name in parameter.opts if name.startswith("--")), None)
        if option and not getattr(parameter, "is_flag", False):
            yield [option, ARGUMENT]
        elif option:
            yield [f"{option}={ARGUMENT}"]


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Backend:
    """Let commands work on a store of hostile texts, and list a hostile plugin."""

    class Hostile:
        def load(self) -> None:
            raise type(HOSTILE, (Exception,), {})(HOSTILE)

    opened = filled(MemoryBackend())
    offer = Offer(name=HOSTILE, distribution=HOSTILE, version=HOSTILE, value="x", entry=Hostile())
    monkeypatch.setattr(Choice, "open", lambda _self, **_options: opened)
    monkeypatch.setattr("asm_core.plugins.loading.find_offers", lambda _group: [offer])
    monkeypatch.setattr(opened.maintenance, "health_check", lambda: [HOSTILE])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(f"[retention]\n{json.dumps(HOSTILE)} = 1\n", "utf-8")
    with (tmp_path / "file.jsonl").open("wb") as file:
        dump_session(opened, HOSTILE, file)
    other = filled(MemoryBackend(), agent="other")
    with (tmp_path / "other.jsonl").open("wb") as file:
        dump_session(other, HOSTILE, file)
    return opened


def filled(backend: MemoryBackend, agent: str = HOSTILE) -> MemoryBackend:
    store, payload = backend.session_store, {HOSTILE: HOSTILE, "text": HOSTILE, "list": [HOSTILE]}
    fields: dict[str, Any] = {"agent_id": agent, "tags": [HOSTILE], "metadata": payload, "context": payload}
    for number, name in enumerate((HOSTILE, f"{HOSTILE}2")):
        made_at = datetime(2026, 1, 1 + number, tzinfo=UTC)
        store.save_session(Session.new(id=name, status="completed", created_at=made_at, **fields))
    provided = {"provider": HOSTILE, "provider_metadata": {"model": HOSTILE}, "input": payload}
    store.save_run(Run.new(id=HOSTILE, session_id=HOSTILE, started_at=datetime.now(UTC) - timedelta(1), **provided))
    for kind in ("message_streamed", "message_received", "tool_call_started"):
        event = Event.new(type=kind, session_id=HOSTILE, run_id=HOSTILE, data={**payload, "stream": HOSTILE})
        store.append_event(event)
    artifact = Artifact.new(
        key=HOSTILE, session_id=HOSTILE, byte_size=1, checksum_sha256="0" * 64, storage_backend="f", storage_ref=HOSTILE
    )
    backend.artifact_registry.register(artifact)
    backend.state_store.put(HOSTILE, HOSTILE, payload)
    return backend


def told(place: Path, arguments: list[str]) -> list[str]:
    names = {"ID": HOSTILE, "FILE": "file.jsonl", "OTHER": "other.jsonl", "POLICY": "policy.toml"}
    return [names.get(one, one.replace("PLACE", str(place))) for one in arguments]


def calls(path: tuple[str, ...], place: Path) -> Iterator[list[str]]:
    for arguments in ARGUMENTS[path]:
        yield [*path, *told(place, arguments)]
        if any("--json" in parameter.opts for parameter in ALL[path].params):
            yield [*path, *told(place, arguments), "--json"]
    for arguments in mistakes(ALL[path]):
        yield [*path, *arguments]
    yield [*path, "--help"]


def check(text: str, arguments: list[str], *, allowed: str = "\n") -> None:
    bad = {one for one in text if unicodedata.category(one) in BAD_CATEGORIES} - set(allowed)
    assert not bad, (arguments, text)
    assert not re.search("[\u034f\u115f\u3164\ufe00\U000e0000-\U000e0fff]|\ufe0f\ufe0f", text), arguments
    # The text of an event keeps its lines on a terminal, indented to its column.
    assert not [line for line in text.split("\n") if line.startswith(FORGED)], (arguments, text)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_pipe_gets_no_hostile_text(backend: Backend, tmp_path: Path, path: tuple[str, ...]) -> None:
    assert backend.name
    for arguments in calls(path, tmp_path):
        result = CliRunner().invoke(app, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
        check(result.stdout, arguments, allowed="\n\t")
        check(result.stderr, arguments)
        if arguments[-1] == "--json" and result.exit_code == 0 and path not in {("tail",), ("grep",)}:
            assert HOSTILE in strings(json.loads(result.stdout)) or path[0] in {"maintain", "db"}, arguments


def strings(value: Any) -> set[str]:
    if isinstance(value, dict):
        return strings([*value, *value.values()])
    if isinstance(value, list):
        return set().union(*map(strings, value))
    return {value} if isinstance(value, str) else set()


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_terminal_gets_no_hostile_text(
    backend: Backend, tmp_path: Path, terminal: Callable[[list[str]], str], path: tuple[str, ...]
) -> None:
    assert backend.name
    for arguments in calls(path, tmp_path):
        check(STYLES.sub("", terminal(arguments)), arguments, allowed="\r\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], str]:
    """Call the program on a terminal, and return what the terminal gets."""
    pty = pytest.importorskip("pty", reason="terminals of this kind are Unix's")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")

    def call(arguments: list[str]) -> str:
        reading, writing = pty.openpty()
        pieces: list[bytes] = []
        reader = threading.Thread(target=lambda: pieces.extend(iter(lambda: read(reading), b"")))
        reader.start()
        with monkeypatch.context() as patch, open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            start(arguments)
        ended(reader)
        os.close(reading)
        return b"".join(pieces).decode().replace("\r\n", "\n")

    return call


def read(handle: int) -> bytes:
    try:
        return os.read(handle, 65_536)
    except OSError:  # Linux says so when the other end is closed
        return b""


@pytest.mark.parametrize("option", ["--backend", "--url", "--store", "--x", "command"])
def test_a_hostile_store_is_refused_without_hostile_text(tmp_path: Path, option: str) -> None:
    for text in (ARGUMENT, f"sqlite:///{ARGUMENT}", f"nosuch://{ARGUMENT}"):
        arguments = [option, text, "sessions"] if option != "command" else [text]
        result = CliRunner().invoke(app, arguments, env={"HOME": str(tmp_path)})
        assert result.exit_code not in {0, None}
        check(result.stdout + result.stderr, arguments)


def test_what_anything_prints_is_escaped(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> None:
    def noisy() -> list[str]:
        sys.stdout.write(HOSTILE.replace("\n", " "))
        sys.stderr.write(HOSTILE.replace("\n", " "))
        sys.stdout.writelines([HOSTILE.replace("\n", " ")])
        return []

    monkeypatch.setattr(backend.maintenance, "health_check", noisy)
    result = CliRunner().invoke(app, ["health"])
    assert result.exit_code == 0
    check(result.stdout + result.stderr, ["health"])


def test_an_unexpected_error_is_shown_escaped(
    monkeypatch: pytest.MonkeyPatch, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> list[str]:
        raise RuntimeError(HOSTILE.replace("\n", " "))

    monkeypatch.setattr(backend.maintenance, "health_check", fail)
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    with pytest.raises(RuntimeError) as caught:
        start(["health"])
    sys.excepthook(caught.type, caught.value, caught.tb)
    sys.stderr.flush()
    text = sys.stderr.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "RuntimeError: h\\x1b[2J" in text
    check(text, ["health"])
    assert capsys.readouterr().err == ""
