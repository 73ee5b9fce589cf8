"""A log as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_core.conversation.folding import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = "run_1"
CALL = {"tool_call_id": "c1", "tool_name": "add", "tool_input": {"a": 1}}
CALL_PART = {"type": "tool_call", **CALL}
ASK = ("message_sent", {"role": "user", "content": "What is 1 + 2?"})
START = ("tool_call_started", CALL)
RESULT = ("tool_call_completed", {"tool_call_id": "c1", "tool_name": "add", "tool_output": 3})
ANSWER = ("message_received", {"role": "assistant", "content": "3"})
END = ("run_completed", {})


class Log:
    """A session to append events to, and to read back."""

    def __init__(self, store: asm.SessionStore) -> None:
        self.store = store
        self.session_id = store.save_session(asm.Session.new(agent_id="a")).id

    def add(self, *events: tuple[str, dict[str, Any]], run_id: str = RUN) -> None:
        self.store.append_events(
            asm.Event.new(type=kind, session_id=self.session_id, run_id=run_id, data=data) for kind, data in events
        )

    def read(self, **options: Any) -> list[tuple[str, Any]]:
        return [(message.role, message.content) for message in self.transcript(**options)]

    def transcript(self, **options: Any) -> asm.Transcript:
        return asm.read_messages(self.store, self.session_id, **options)


@pytest.fixture
def log() -> Iterator[Log]:
    with asm.open_backend("memory") as backend:
        yield Log(backend.session_store)


def delta(text: str, **more: str) -> tuple[str, dict[str, Any]]:
    return "message_streamed", {"delta": text, **more}


def test_deltas_are_superseded_by_their_message(log: Log) -> None:
    log.add(ASK, delta("th"), delta("ree"), ANSWER, END)
    assert log.read() == [("user", "What is 1 + 2?"), ("assistant", "3")]


@pytest.mark.parametrize("end", ["run_failed", "run_cancelled", "run_timeout", None])
def test_an_interrupted_run_ends_with_what_it_streamed(log: Log, end: str | None) -> None:
    log.add(ASK, delta("th"), delta("re"))
    if end is not None:
        log.add((end, {}))
    log.add(("message_sent", {"role": "user", "content": "Well?"}), run_id="run_2")
    message = log.transcript()[2 if end is None else 1]
    assert (message.role, message.content, message.interrupted) == ("assistant", "thre", True)


def test_a_run_that_streams_only_leaves_a_complete_message(log: Log) -> None:
    log.add(ASK, delta("three"), END)
    message = log.transcript()[1]
    assert (message.text, message.interrupted) == ("three", False)


def test_what_was_streamed_before_another_try_is_void(log: Log) -> None:
    log.add(ASK, delta("th"), ("error_occurred", {"error": {}, "retry_in": 1.0}), delta("three"), END)
    assert log.read()[1:] == [("assistant", "three")]


def test_a_call_is_a_part_of_the_message_before_it(log: Log) -> None:
    log.add(ASK, ("message_received", {"role": "assistant", "content": "I add."}), START, RESULT, ANSWER, END)
    parts = [{"type": "text", "text": "I add."}, CALL_PART]
    assert log.read()[1:] == [("assistant", parts), ("tool", 3), ("assistant", "3")]


def test_a_call_that_its_message_contains_is_no_second_part(log: Log) -> None:
    log.add(ASK, ("message_received", {"role": "assistant", "content": [CALL_PART]}), START, RESULT, END)
    assert log.read()[1:] == [("assistant", [CALL_PART]), ("tool", 3)]


def test_results_follow_their_calls_whatever_is_between(log: Log) -> None:
    log.add(ASK, START)
    log.add(("message_sent", {"role": "user", "content": "Hurry."}), run_id="run_2")
    log.add(RESULT)
    assert [message.role for message in log.transcript()] == ["user", "assistant", "tool", "user"]


@pytest.mark.parametrize("ended", [True, False])
def test_a_call_without_a_result_gets_one(log: Log, ended: bool) -> None:  # noqa: FBT001  a parameter of the test
    log.add(ASK, START, *([("run_cancelled", {})] if ended else []))
    result = log.transcript()[2]
    assert (result.role, result.content, result.tool_call_id) == ("tool", INTERRUPTED, "c1")
    assert result.is_error
    assert result.interrupted


def test_a_failed_call_has_its_error(log: Log) -> None:
    log.add(ASK, START, ("tool_call_failed", {"tool_call_id": "c1", "tool_name": "add", "error": "no"}), END)
    result = log.transcript()[2]
    assert (result.content, result.is_error, result.interrupted) == ("no", True, False)


def test_a_result_without_its_call_is_left_out(log: Log) -> None:
    log.add(RESULT, ANSWER, END)
    assert log.read() == [("assistant", "3")]


def test_the_output_of_a_command_is_the_result_of_its_call(log: Log) -> None:
    log.add(START, delta("one\n", stream="stdout"), delta("two\n", stream="stdout"))
    log.add(("tool_call_completed", {"tool_call_id": "c1", "tool_name": "add", "tool_output": {"exit_code": 0}}), END)
    assert log.read()[1] == ("tool", {"stdout": "one\ntwo\n", "exit_code": 0})


def test_parts_of_a_provider_are_kept_verbatim(log: Log) -> None:
    parts = [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "3"}]
    log.add(("message_received", {"role": "assistant", "content": parts}), END)
    message = log.transcript()[0]
    assert (message.content, message.text) == (parts, "3")


def test_a_redacted_message_is_left_out(log: Log) -> None:
    log.add(ASK, ANSWER, END)
    log.store.redact_events(log.session_id, [log.store.get_events(log.session_id)[0].id])
    assert log.read() == [("assistant", "3")]


LONG = [("user", "0"), ("assistant", "1"), ("user", "2"), ("assistant", "3")]


def fill(log: Log) -> None:
    system = ("message_sent", {"role": "system", "content": "Be brief."})
    log.add(system, ASK, ("message_received", {"role": "assistant", "content": [CALL_PART]}), START, RESULT, ANSWER)


@pytest.mark.parametrize(
    ("limit", "roles"),
    [
        (0, []),
        (1, ["system"]),
        (2, ["system", "assistant"]),
        (3, ["system", "assistant"]),
        (4, ["system", "assistant", "tool", "assistant"]),
        (5, ["system", "user", "assistant", "tool", "assistant"]),
    ],
)
def test_trimming_never_divides_a_call_and_its_result(log: Log, limit: int, roles: list[str]) -> None:
    fill(log)
    assert [message.role for message in log.transcript(max_messages=limit)] == roles
    counted = log.transcript(max_tokens=limit, count_tokens=lambda _: 1)
    assert [message.role for message in counted] == roles


def test_the_data_of_tools_counts_as_tokens(log: Log) -> None:
    log.add(ASK, START)
    log.add(("tool_call_completed", {"tool_call_id": "c1", "tool_name": "add", "tool_output": "x" * 4000}), ANSWER)
    assert [message.role for message in log.transcript(max_tokens=500)] == ["assistant"]


def test_an_update_reads_what_was_appended_since(log: Log) -> None:
    log.add(ASK, START)
    before = log.transcript()
    log.add(RESULT, delta("3"), ANSWER, END)
    after = before.update(log.store)
    assert [message.content for message in after][1:] == [[CALL_PART], 3, "3"]
    assert (list(after), after.last_sequence) == (list(log.transcript()), 6)
    assert before[2].interrupted


def test_a_transcript_may_begin_later_and_hold_one_run(log: Log) -> None:
    log.add(ASK, ANSWER, END)
    log.add(("message_sent", {"role": "user", "content": "Why?"}), run_id="run_2")
    assert log.read(after=3) == log.read(run_id="run_2") == [("user", "Why?")]


def test_a_limit_must_be_a_natural_number(log: Log) -> None:
    with pytest.raises(asm.ValidationError, match="max_messages must be an integer"):
        log.transcript(max_messages=-1)


def test_an_unknown_session_has_no_transcript(log: Log) -> None:
    with pytest.raises(asm.SessionNotFoundError):
        asm.read_messages(log.store, "ses_unknown")
