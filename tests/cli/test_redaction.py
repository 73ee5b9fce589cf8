"""`--redact`, `--no-redact`, and the table `[redaction]` of the configuration."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from model_server import ModelServer, weather_model

from asm_core.models import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from processes import Complete, Start
    from typer.testing import Result

    from asm_core.models import Session
    from asm_core.ports import Backend

SECRET = "sk-ant-api03-" + "Ab1" * 20
TABLE = """[redaction]
patterns = [["employee", 'E-\\d{4}'], 'ticket \\w+']
environment = ["DEPLOY_PHRASE"]
replacement = "plain"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def leaky(backend: Backend, fill: Callable[..., Session]) -> Session:
    session = fill(1)
    data = {"role": "user", "content": f"E-1234, ticket abc, {SECRET}, correct horse"}
    backend.session_store.append_event(Event.new(type="message_sent", session_id=session.id, data=data))
    return session


def export(asm: Callable[..., Result], *options: str) -> str:
    result = asm("export", "last", "-o", "-", *options)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.mark.usefixtures("here", "leaky")
def test_export_redacts_if_asked(asm: Callable[..., Result]) -> None:
    assert SECRET in export(asm)
    assert SECRET in export(asm, "--no-redact")
    assert "[REDACTED:anthropic_api_key]" in export(asm, "--redact")
    assert SECRET not in export(asm, "--redact")


@pytest.mark.usefixtures("leaky")
def test_export_of_all_sessions_redacts(asm: Callable[..., Result], here: Path) -> None:
    assert asm("export", "--all", "out", "--redact").exit_code == 0
    (file,) = (here / "out").iterdir()
    assert SECRET.encode() not in file.read_bytes()
    assert b"REDACTED" in file.read_bytes()
    assert "1 file already there and equal" in asm("export", "--all", "out", "--redact").stderr


@pytest.mark.usefixtures("leaky")
def test_the_configuration_redacts_by_default(
    asm: Callable[..., Result], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_PHRASE", "correct horse")
    (here / "asm.toml").write_text(TABLE)
    assert '"[REDACTED], [REDACTED], [REDACTED], [REDACTED]"' in export(asm)
    assert SECRET in export(asm, "--no-redact")
    (here / "asm.toml").write_text(f"{TABLE}enabled = false\n")
    assert SECRET in export(asm)
    assert '"[REDACTED], [REDACTED], [REDACTED], [REDACTED]"' in export(asm, "--redact")
    (here / "asm.toml").write_text("redaction = true\n")
    assert "[REDACTED:anthropic_api_key]" in export(asm)
    (here / "pyproject.toml").write_text("[tool.asm]\nredaction = true\n")
    (here / "asm.toml").unlink()
    assert SECRET not in export(asm)


@pytest.mark.usefixtures("leaky")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redaction = 1", "redaction in {file} must be a table, true or false, not 1."),
        ("[redaction]\nenabled = 1", "redaction.enabled in {file} must be true or false, not 1."),
        (
            "[redaction]\npattern = []",
            "[redaction] in {file} has no key 'pattern'. Its keys are enabled, ",
        ),
        ("[redaction]\npatterns = '['", "redaction.patterns in {file} is invalid: patterns must be a list, not '['."),
        ("[redaction]\npatterns = ['[']", "redaction.patterns in {file} is invalid: The pattern '[' is no regular"),
        ("[redaction]\nenvironment = ['A=B']", "redaction.environment in {file} is invalid: environment must list"),
        (
            "[redaction]\nreplacement = 'x'",
            "redaction.replacement in {file} is invalid: replacement must be ",
        ),
    ],
)
def test_an_invalid_value_is_an_error_with_file_and_key(
    asm: Callable[..., Result], here: Path, text: str, message: str
) -> None:
    (here / "asm.toml").write_text(text)
    result = asm("export", "last", "-o", "-", "--redact")
    assert result.exit_code == 1
    assert message.format(file="asm.toml") in result.stderr.replace(str(here) + "/", "")
    assert result.stdout == ""
    assert asm("export", "last", "-o", "-", "--no-redact").exit_code == 0


@pytest.mark.usefixtures("leaky")
def test_an_untrusted_file_must_not_configure_redaction(asm: Callable[..., Result], here: Path) -> None:
    (here / "asm.toml").write_text("redaction = false\n")
    (here / "asm.toml").chmod(0o666)
    result = asm("export", "last", "-o", "-")
    assert result.exit_code == 1
    assert "is not trusted" in result.stderr
    assert "but contains redaction" in result.stderr


def test_run_redacts_by_the_configuration(process: Complete, tmp_path: Path) -> None:
    (tmp_path / "asm.toml").write_text(TABLE)
    code = "print('I am E-1234')"
    assert process("run", "--", sys.executable, "-c", code).stdout == "I am [REDACTED]\n"
    assert process("run", "--no-redact", "--", sys.executable, "-c", code).stdout == "I am E-1234\n"
    (first, _) = json.loads(process("sessions", "--json").stdout)[::-1]
    assert "E-1234" not in process("show", first["id"], "--json").stdout


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[ModelServer]:
    with ModelServer(otherwise=weather_model) as found:
        environment |= {"ANTHROPIC_BASE_URL": found.url, "ANTHROPIC_API_KEY": "sk-ant-secret-0123456789"}
        yield found


@pytest.mark.parametrize("case", [("ask", "--redact", ""), ("chat", "-q", "redaction = true")])
def test_ask_and_chat_redact(start: Start, tmp_path: Path, server: ModelServer, case: tuple[str, str, str]) -> None:
    command, option, text = case
    (tmp_path / "asm.toml").write_text(text)
    given = ("-",) if command == "ask" else ()
    with start(command, *given, "--provider", "anthropic", "--model", "m", option, stdin=-1) as child:
        _, err = child.communicate(f"My key is {SECRET}\n")
    assert child.returncode == 0, err
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("asm.db*"))
    assert SECRET.encode() not in stored
    assert b"My key is [REDACTED:anthropic_api_key]" in stored
    assert SECRET not in json.dumps([request.body for request in server.requests])
