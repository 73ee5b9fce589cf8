"""``asm output``: what a command printed, byte for byte."""

from __future__ import annotations

import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_core import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.ports import Backend

RUN = ("run", "--agent", "a", "--quiet", "--", sys.executable, "-c")
WRITES = """
import sys
for _ in range({times}):
    sys.stdout.buffer.write({out!r}); sys.stdout.buffer.flush()
    sys.stderr.buffer.write({err!r}); sys.stderr.buffer.flush()
"""


@pytest.fixture
def session_id(environment: dict[str, str]) -> Callable[[], str]:
    """Return the id of the only session."""
    environment["ASM_BACKEND"] = "peewee"

    def read() -> str:
        with asm.open_backend("peewee", url=environment["ASM_URL"]) as backend:
            (session,) = backend.session_store.list_sessions()
        return session.id

    return read


@pytest.mark.parametrize("times", [1, 2_000])
def test_what_was_printed_is_returned_byte_for_byte(process: Callable[..., Any], session_id: Any, times: int) -> None:
    out, err = "line\n\0\r\n\x1b[31m€".encode() + b"\xff\xfe\n\xe2\x82\nunfinished", b"\xf0\x9f oops"
    program = WRITES.format(out=out, err=err, times=times)
    run = process(*RUN, program, text=False)
    assert (run.stdout, run.stderr) == (out * times, err * times)
    again = process("output", session_id(), text=False)
    assert (again.stdout, again.stderr, again.returncode) == (run.stdout, run.stderr, 0)


def test_a_replay_prints_the_same(process: Callable[..., Any], session_id: Any) -> None:
    process(*RUN, "print('one', end='', flush=True); import time; time.sleep(0.1); print(' two')")
    assert process("output", session_id(), "--replay").stdout == "one two\n"


def test_a_closed_pipe_ends_it(process: Callable[..., Any], start: Callable[..., Any], session_id: Any) -> None:
    process(*RUN, "print('x' * 99, sep='\\n', end='\\n' * 10_000)")
    with start("output", session_id()) as child:
        assert child.stdout.read(1) == "x"
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 141


@pytest.fixture
def record(backend: Backend, fill: Callable[..., Any]) -> Callable[..., str]:
    """Store a session with pieces of output: seconds since a time, text, and more data."""

    def store(*pieces: tuple[float, str], **more: Any) -> str:
        session = fill(0)
        backend.session_store.append_events(
            Event.new(
                type="message_streamed",
                session_id=session.id,
                timestamp=BEGIN + timedelta(seconds=seconds),
                data={"stream": "stdout", "delta": text, **more},
            )
            for seconds, text in pieces
        )
        return session.id  # type: ignore[no-any-return]

    return store


BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_output_since_a_time_is_printed(asm: Any, record: Any) -> None:
    found = record((0, "one\n"), (60, "two\n"), (120, "three\n"))
    assert asm("output", found, "--since", "2026-01-31T12:01Z").stdout == "two\nthree\n"


@pytest.mark.parametrize(("options", "factor"), [(("--replay",), 1), (("--speed", "0.5"), 0.5), (("--speed", "4"), 4)])
def test_a_replay_takes_the_recorded_time(asm: Any, record: Any, options: tuple[str, ...], factor: float) -> None:
    found = record((0, "one "), (0.1, "two "), (0.2, "three"))
    began = time.monotonic()
    assert asm("output", found, *options).stdout == "one two three"
    assert time.monotonic() - began >= 0.2 / factor


def test_times_that_go_back_do_not_stop_a_replay(asm: Any, record: Any) -> None:
    assert asm("output", record((9, "one "), (0, "two")), "--replay").stdout == "one two"


def test_output_of_an_agent_is_printed(asm: Any, backend: Backend, record: Any) -> None:
    found = record((0, "one "))
    for data in ({"delta": "two "}, {"delta": 3}, {"text": "no delta"}, {"delta": "three", "stream": "terminal"}):
        backend.session_store.append_event(Event.new(type="message_streamed", session_id=found, data=data))
    assert asm("output", found).stdout == "one two three"


@pytest.mark.parametrize("encoded", ["=", "é", 5, ["x"]])
def test_bytes_that_cannot_be_decoded_are_replaced_by_the_text(asm: Any, record: Any, encoded: Any) -> None:
    assert asm("output", record((0, "text"), base64=encoded)).stdout == "text"


@pytest.mark.parametrize("factor", ["0", "-1", "nan", "inf", "fast"])
def test_a_factor_that_is_no_positive_number_is_wrong_usage(asm: Any, record: Any, factor: str) -> None:
    result = asm("output", record(), "--speed", factor)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_session_without_output_prints_nothing(asm: Any, record: Any) -> None:
    assert (asm("output", record()).output, asm("output", record(), "--replay").exit_code) == ("", 0)


def test_a_replay_shows_each_piece_at_once_and_can_be_interrupted(
    process: Callable[..., Any], start: Callable[..., Any], session_id: Any
) -> None:
    process(*RUN, "import time; print('one', flush=True); time.sleep(0.2); print('two')")
    with start("output", session_id(), "--speed", "0.0001") as child:
        assert child.stdout.readline() == "one\n"
        child.send_signal(signal.SIGINT)
        assert child.communicate() == ("", "")
    assert child.returncode == 130
