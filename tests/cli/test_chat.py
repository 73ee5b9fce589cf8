"""`asm ask` and `asm chat`: answers while they arrive, turns of one session, Ctrl-C on a terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from model_server import LIMIT, Answer, ModelServer, anthropic, chat, responses, tool_use, weather_model
from processes import Process

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from processes import Complete, Start

KEY = "sk-ant-secret-0123456789"
PROVIDER = ("--provider", "anthropic", "--model", "m")


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[ModelServer]:
    """Let processes find a server of their vendor in their environment."""
    with ModelServer(otherwise=weather_model) as found:
        for vendor in ("ANTHROPIC", "OPENAI"):
            environment |= {f"{vendor}_BASE_URL": found.url, f"{vendor}_API_KEY": KEY}
        yield found


@pytest.fixture
def backend(environment: dict[str, str]) -> Iterator[asm.Backend]:  # type: ignore[override]
    """Open the store of the processes."""
    with asm.open_backend("sqlmodel", url=environment["ASM_URL"], migrate=True) as opened:
        yield opened


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, environment: dict[str, str], place: Path, *arguments: str) -> None:
        pty = pytest.importorskip("pty", reason="terminals of this kind are Unix's")
        self._handle, far = pty.openpty()
        os.set_blocking(self._handle, False)
        self.process = Process(
            [sys.executable, "-m", "asm_core", *arguments],
            cwd=place,
            env={**environment, "TERM": "dumb"},
            preexec_fn=lambda: os.login_tty(far),
        )
        os.close(far)
        self.text = ""

    def expect(self, text: str) -> None:
        """Wait until the terminal shows a text, and forget what it shows up to there."""
        deadline = time.monotonic() + LIMIT
        while text not in self.text:
            self._read()
            assert time.monotonic() < deadline, self.text
        self.text = self.text.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self._handle, text.encode())

    def end(self) -> int:
        status = self.process.wait()
        self._read()
        os.close(self._handle)
        return status

    def _read(self) -> None:
        try:
            self.text += os.read(self._handle, 65_536).decode(errors="replace").replace("\r\n", "\n")
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:  # the program has ended
            time.sleep(0.01)


def only_session(backend: asm.Backend) -> asm.Session:
    (found,) = backend.session_store.list_sessions()
    return found


def texts(backend: asm.Backend, session: asm.Session) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in asm.read_messages(backend.session_store, session.id)]


def test_ask_prints_the_answer_and_records_a_session(
    process: Complete, server: ModelServer, backend: asm.Backend, tmp_path: Path
) -> None:
    server.script.append(anthropic("Good morning."))
    done = process("ask", "hello", *PROVIDER, "--system", "Be brief.", "--agent", "helper", "--user", "ann")
    session = only_session(backend)
    assert (done.returncode, done.stdout) == (0, "Good morning.\n")
    assert done.stderr == f"Recorded session {session.id}.\n"
    assert (session.agent_id, session.user_id, session.status) == ("helper", "ann", "paused")
    assert texts(backend, session) == [("user", "hello"), ("assistant", "Good morning.")]
    assert KEY in str(server.requests[0].headers)
    for path in tmp_path.glob("asm.db*"):
        assert KEY.encode() not in path.read_bytes()


def test_ask_continues_a_session_with_its_history(
    process: Complete, start: Start, server: ModelServer, backend: asm.Backend
) -> None:
    server.script.extend([anthropic("Good morning."), responses("You said hello.")])
    process("ask", "hello", *PROVIDER)
    session = only_session(backend)
    other = ("--provider", "openai", "--model", "m")
    with start("ask", "-", "--session", session.id, *other, "-q", stdin=-1) as asking:
        out, err = asking.communicate("what did I say?")
    assert (asking.returncode, out, err) == (0, "You said hello.\n", "")
    body = str(server.requests[1].body["input"])
    places = [body.index(text) for text in ("hello", "Good morning.", "what did I say?")]
    assert places == sorted(places)


def test_provider_and_options_come_from_the_file_and_the_environment(
    process: Complete, server: ModelServer, environment: dict[str, str], tmp_path: Path
) -> None:
    text = 'provider = "openai"\n[providers.openai]\napi = "chat"\nmax_tokens = 9\n'
    (tmp_path / "asm.toml").write_text(text, "utf-8")
    environment["ASM_MODEL"] = "of-environment"
    server.script.append(chat("ok"))
    assert process("ask", "hello").stdout == "ok\n"
    body = server.requests[0].body
    assert (body["model"], body["max_tokens"]) == ("of-environment", 9)


def test_an_error_of_the_provider_is_printed_and_recorded(
    process: Complete, server: ModelServer, backend: asm.Backend
) -> None:
    server.script.append(Answer(401, {"error": {"type": "authentication_error", "message": "invalid key"}}))
    done = process("ask", "hello", *PROVIDER)
    assert done.returncode == 1
    assert "error: Anthropic: invalid key (401, authentication_error)" in done.stderr
    (run,) = backend.session_store.list_runs(only_session(backend).id)
    assert (run.status, (run.error or {})["code"]) == ("failed", "provider_authentication_failed")


def test_sigterm_ends_an_answer_and_keeps_what_came(start: Start, server: ModelServer, backend: asm.Backend) -> None:
    server.script.append(anthropic("Good morning.", end="hang"))
    with start("ask", "hello", *PROVIDER) as asking:
        assert asking.stdout.read(13) == "Good morning."
        asking.send_signal(signal.SIGTERM)
        assert asking.wait(LIMIT) == 128 + signal.SIGTERM
    assert server.abandoned.wait(LIMIT)
    session = only_session(backend)
    assert [run.status for run in backend.session_store.list_runs(session.id)] == ["cancelled"]
    assert texts(backend, session)[-1] == ("assistant", "Good morning.")


def test_each_line_of_a_pipe_is_a_turn(start: Start, server: ModelServer, backend: asm.Backend) -> None:
    server.script.extend([anthropic("One."), anthropic("Two.")])
    with start("chat", *PROVIDER, "-q", stdin=-1) as talking:
        out, err = talking.communicate("first\n\nsecond\n")
    assert (talking.returncode, out, err) == (0, "One.\nTwo.\n", "")
    asked = [text for role, text in texts(backend, only_session(backend)) if role == "user"]
    assert asked == ["first", "second"]


def test_a_turn_that_fails_does_not_end_a_conversation(start: Start, server: ModelServer, backend: asm.Backend) -> None:
    server.script.extend(
        [Answer(400, {"error": {"type": "invalid_request_error", "message": "no"}}), anthropic("Two.")]
    )
    with start("chat", *PROVIDER, stdin=-1) as talking:
        out, err = talking.communicate("first\nsecond\n")
    assert (talking.returncode, out) == (0, "Two.\n")
    assert "error: Anthropic: no (400" in err
    runs = backend.session_store.list_runs(only_session(backend).id)
    assert sorted(run.status for run in runs) == ["completed", "failed"]


def test_an_error_that_may_pass_is_shown_and_tried_again(process: Complete, server: ModelServer) -> None:
    busy = Answer(529, {"error": {"type": "overloaded_error", "message": "busy"}})
    server.script.extend([busy, anthropic("Good morning.")])
    done = process("ask", "hello", *PROVIDER)
    assert (done.returncode, done.stdout) == (0, "Good morning.\n")
    assert "[Anthropic: busy (529, overloaded_error) Next try in " in done.stderr


def test_calls_of_tools_and_hostile_text_are_shown_escaped(process: Complete, server: ModelServer) -> None:
    call = tool_use("web\x1b[2J", {"city": "Rome"})
    server.script.extend([anthropic("a\x1b[2Jb\nc", call), anthropic("d")])
    done = process("ask", "hello", *PROVIDER)
    assert done.stdout == "a\\x1b[2Jb\nc\nd\n"
    assert "[web\\x1b[2J: There is no tool" in done.stderr
    assert "\x1b" not in done.stderr


def test_ctrl_c_ends_the_answer_and_the_conversation_continues(
    environment: dict[str, str], tmp_path: Path, server: ModelServer, backend: asm.Backend
) -> None:
    server.script.extend([anthropic("Good morning.", end="hang"), anthropic("Still here.")])
    terminal = Terminal(environment, tmp_path, "chat", *PROVIDER)
    terminal.expect("> ")
    terminal.type("hello\n")
    terminal.expect("Good morning.")
    terminal.type("\x03")
    terminal.expect("The answer was ended.\n> ")
    assert server.abandoned.wait(LIMIT)
    terminal.type("go on\n")
    terminal.expect("Still here.\n> ")
    terminal.type("\x04")
    terminal.expect("Recorded session ses_")
    assert terminal.end() == 0
    session = only_session(backend)
    assert session.status == "paused"
    assert sorted(run.status for run in backend.session_store.list_runs(session.id)) == ["cancelled", "completed"]
    expected = [("user", "hello"), ("assistant", "Good morning."), ("user", "go on"), ("assistant", "Still here.")]
    assert texts(backend, session) == expected
    body = str(server.requests[1].body)
    assert body.index("Good morning.") < body.index("go on")


def test_a_resumed_conversation_shows_its_last_messages(
    environment: dict[str, str], tmp_path: Path, process: Complete, server: ModelServer, backend: asm.Backend
) -> None:
    server.script.extend([anthropic("Good morning."), anthropic("Yes.")])
    process("ask", "hello", *PROVIDER)
    session = only_session(backend)
    terminal = Terminal(environment, tmp_path, "chat", session.id, *PROVIDER)
    terminal.expect("> hello\nGood morning.\n> ")
    terminal.type("\x03")
    terminal.expect("> ")
    terminal.type("still?\n")
    terminal.expect("Yes.\n> ")
    terminal.type("\x04")
    assert terminal.end() == 0
    assert len(server.requests[1].body["messages"]) == 3
    types = [event.type for event in backend.session_store.get_events(session.id) if event.type.startswith("session_")]
    assert types == ["session_created", "session_started", "session_paused", "session_resumed", "session_paused"]


def test_a_conversation_without_a_turn_records_nothing(process: Complete, server: ModelServer, backend: Any) -> None:
    done = process("chat", *PROVIDER)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert backend.query_api.search_sessions().items == []
    assert not server.requests
