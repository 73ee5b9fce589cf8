"""Everything that a graph hands over is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from helpers import config_of, put
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.types import Send
from values import equal, nested

from langgraph_checkpoint_asm import AsmSaver
from langgraph_checkpoint_asm.serialization import _may_have_surrogates

if TYPE_CHECKING:
    import asm_core


@dataclass
class Note:
    text: str


VALUES: dict[str, Any] = {
    "a lone surrogate": ["x\ud800y?", {"\udfff": 1}],
    "a lone surrogate in a key only": {"\udfff": 1},
    "a text that looks like an escape": ["\0asm:text:x", "\0asm:part:0", 1 << 70],
    "not a number": [float("nan"), float("inf"), float("-inf"), -0.0],
    "a thousand levels": nested(1_000),
    "bytes": [b"\0\xff", b""],
    "big integers": [1 << 63, 1 << 64, -(1 << 63) - 1, 1 << 100_000, {1 << 70: 1}],
    "nul": "a\0b",
    "nothing": None,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_is_kept_in_checkpoints_writes_and_metadata(backend: asm_core.Backend, value: Any) -> None:
    saver = AsmSaver(backend)
    stored = put(saver, config_of(), {"value": value}, extra={"value": value})
    saver.put_writes(stored, [("value", value)], "task", "path")
    found = saver.get_tuple(config_of())
    assert found is not None
    assert equal(found.checkpoint["channel_values"], {"value": value})
    assert equal(found.metadata["extra"], {"value": value})  # type: ignore[typeddict-item]
    assert found.pending_writes is not None
    assert equal(found.pending_writes[0][2], value)


def test_messages_dataclasses_and_sends_keep_what_the_serializer_changes(backend: asm_core.Backend) -> None:
    saver = AsmSaver(backend)
    value = [
        HumanMessage("what\ud800?", id="1"),
        AIMessage("", id="2", tool_calls=[{"name": "f", "args": {"n": 1 << 80}, "id": "c"}]),
        Note("\ud800?"),
        Send("node", {"n": 1 << 80, "text": "\ud800?"}),
    ]
    put(saver, config_of(), {"value": value})
    found = saver.get_tuple(config_of())
    assert found is not None
    assert found.checkpoint["channel_values"]["value"] == value


NAMES = ["", "a", "a:b", "a%3Ab", "b", "\0", "\ud800", "é", "#", "x" * 600, "x" * 601, "🦜" * 200]


def test_threads_namespaces_and_checkpoints_of_any_name_are_kept_apart(backend: asm_core.Backend) -> None:
    saver = AsmSaver(backend)
    places = [(thread, ns) for thread in NAMES for ns in ("", "b", ":b", "b:", "\ud800", "y" * 600)]
    for index, place in enumerate(places):
        stored = put(saver, config_of(*place), {"index": index}, checkpoint_id=f"1\ud800{place[1]}")
        saver.put_writes(stored, [("\ud800", index)], "\udfff", "\ud800")
    for index, place in enumerate(places):
        found = saver.get_tuple(config_of(*place, checkpoint_id=f"1\ud800{place[1]}"))
        assert found is not None
        assert found.checkpoint["channel_values"] == {"index": index}
        assert found.pending_writes == [("\udfff", "\ud800", index)]
    listed = [one.config["configurable"] for one in saver.list(None)]
    assert {(one["thread_id"], one["checkpoint_ns"]) for one in listed} == set(places)
    assert len(backend.query_api.search_sessions(limit=100).items) == len(NAMES)


class Reversing:
    """A cipher of the tests."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "reversed", plaintext[::-1]

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "reversed"
        return ciphertext[::-1]


def test_encrypted_values_are_kept_and_no_message_is_readable(backend: asm_core.Backend) -> None:
    saver = AsmSaver(backend, serde=EncryptedSerializer(Reversing()))  # type: ignore[arg-type]
    value = [HumanMessage("a secret\ud800", id="1"), 1 << 80]
    put(saver, config_of(), {"value": value})
    found = saver.get_tuple(config_of())
    assert found is not None
    assert found.checkpoint["channel_values"]["value"] == value
    events = backend.session_store.get_events(backend.query_api.search_sessions().items[0].id)
    assert [event.type for event in events] == ["langgraph.checkpoint"]
    assert "secret" not in str(events)


class Refusing:
    def __reduce__(self) -> str:
        raise RuntimeError


HIDDEN: dict[str, Any] = {
    "in a text": "\ud800?",
    "in the content of a model": [HumanMessage("\udfff")],
    "in a key of a model's field": AIMessage("?", additional_kwargs={"\ud800": 1}),
    "in an extra field": HumanMessage("?", other="\ud800"),
    "in a dataclass": {"note": Note("\ud800")},
}


@pytest.mark.parametrize("value", HIDDEN.values(), ids=HIDDEN)
def test_the_pickler_finds_a_lone_surrogate(value: Any) -> None:
    assert _may_have_surrogates(value)


@pytest.mark.parametrize("text", ["?", "\ud7ff\ue000", "h\u00e4llo \U0001f600", "\uffff"])
def test_the_pickler_passes_over_other_characters(text: str) -> None:
    assert not _may_have_surrogates([HumanMessage(text), Note(text), {text: 1}])


def test_a_value_that_refuses_to_be_pickled_is_walked() -> None:
    assert _may_have_surrogates([Refusing()])
