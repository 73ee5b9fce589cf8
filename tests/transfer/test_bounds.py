"""An import takes a bounded amount of memory and disk space, whatever it is given."""

from __future__ import annotations

import io
import json
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from exports import exported, fill, imported

from asm_core.errors import ValidationError
from asm_core.memory import MemoryBackend
from asm_core.models import Event, Session
from asm_core.transfer import load_session

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30


class Pipe(io.RawIOBase):
    """Gives some bytes, then others over and over, and counts."""

    def __init__(self, start: bytes, then: bytes = b"") -> None:
        self._start = io.BytesIO(start)
        self._then = then
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._start.read(len(buffer)) or (self._then * (len(buffer) // len(self._then)) if self._then else b"")
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)


def header() -> bytes:
    here = MemoryBackend()
    return exported(here, fill(here)).splitlines(keepends=True)[0]


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the limits be 3 MiB, which is more than a piece of a line."""
    for module in ("lines", "reading"):
        monkeypatch.setattr(f"asm_core.transfer.{module}.LINE_LIMIT", 3 * MIB)
    monkeypatch.setattr("asm_core.transfer.reading.SPOOL_LIMIT", 8 * MIB)


def test_a_line_without_an_end_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with path.open("w+b") as file:
        file.write(header() + b'{"event":{"data":"')
        file.truncate(3 * GIB)
        file.seek(0)
        tracemalloc.start()
        with pytest.raises(ValidationError, match=r"^Line 2: The line is longer than the limit of 1,073,741,824 bytes"):
            load_session(MemoryBackend(), file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * MIB
        assert file.tell() < 2 * GIB


def test_what_does_not_begin_as_a_line_is_not_read_to_its_end() -> None:
    pipe = Pipe(header(), b"\0")
    with pytest.raises(ValidationError, match=r"^Line 2: The line is damaged"):
        load_session(MemoryBackend(), io.BufferedReader(pipe))
    assert pipe.given < 2 * MIB


def test_a_pipe_is_not_read_further_than_a_header_that_is_none() -> None:
    pipe = Pipe(b"", b"x")
    with pytest.raises(ValidationError, match=r"^Line 1: This is not the header"):
        load_session(MemoryBackend(), io.BufferedReader(pipe))
    assert pipe.given < MIB


def test_a_pipe_is_not_read_further_than_its_first_damaged_line() -> None:
    pipe = Pipe(header() + b'{"session":{},"crc32":"00000000"}\n', b"x\n")
    with pytest.raises(ValidationError, match=r"^Line 2: The checksum does not match"):
        load_session(MemoryBackend(), io.BufferedReader(pipe))
    assert pipe.given < MIB


@pytest.mark.usefixtures("tight")
def test_a_line_of_a_pipe_without_an_end_is_refused_at_the_limit() -> None:
    pipe = Pipe(header() + b'{"event":{"data":"', b"x")
    with pytest.raises(ValidationError, match=r"^Line 2: The line is longer than the limit of 3,145,728 bytes"):
        load_session(MemoryBackend(), io.BufferedReader(pipe))
    assert pipe.given < 5 * MIB


@pytest.mark.usefixtures("tight")
def test_a_long_pipe_is_refused_at_the_limit_and_a_file_of_that_length_is_not() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    session = here.session_store.save_session(Session.new(agent_id="a"))
    for _ in range(5):
        event = Event.new(type="turn_completed", session_id=session.id, data={"text": "x" * 2 * MIB})
        here.session_store.append_event(event)
    data = exported(here, session.id)
    with pytest.raises(ValidationError, match=r"more than 8,388,608 bytes, .* Write the export to a file"):
        load_session(there, io.BufferedReader(Pipe(data)))
    assert there.session_store.list_sessions() == []
    assert imported(there, data).events_added == 5


@pytest.mark.usefixtures("tight")
def test_a_line_that_could_not_be_imported_is_not_exported() -> None:
    here = MemoryBackend()
    session = here.session_store.save_session(Session.new(agent_id="a", metadata={"text": "x" * 3 * MIB}))
    with pytest.raises(ValidationError, match=rf"The session {session.id} takes 3,146,\d+ bytes, but a line"):
        exported(here, session.id)


@pytest.mark.parametrize("size", [MIB - 400, MIB, 2 * MIB, 5 * MIB])
def test_a_line_of_any_length_is_imported_from_a_file_and_from_a_pipe(size: int) -> None:
    here, there, elsewhere = MemoryBackend(), MemoryBackend(), MemoryBackend()
    session = here.session_store.save_session(Session.new(agent_id="a", context={"text": "é" * (size // 2)}))
    here.session_store.append_event(Event.new(type="turn_completed", session_id=session.id, data={"text": "x" * size}))
    data = exported(here, session.id)
    assert imported(there, data).events_added == 1
    assert load_session(elsewhere, io.BufferedReader(Pipe(data))).events_added == 1
    assert exported(there, session.id) == exported(elsewhere, session.id) == data


def test_a_long_line_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"^Line 2: The file ends in the middle of this line"):
        imported(MemoryBackend(), header() + b'{"event":{"data":"' + b"x" * 2 * MIB)


@pytest.mark.parametrize(
    "wrong", [b"\xff", b"\xed\xa0\x80", b"\\ud800", b'\\u0000","x":"', b'","last_sequence":1e99,"x":"']
)
def test_a_header_that_is_no_text_is_refused(wrong: bytes) -> None:
    body = header()[10:].rpartition(b',"crc32"')[0].replace(b'"session_id":"', b'"session_id":"' + wrong)
    with pytest.raises(ValidationError, match=r"^Line 1: (The header is damaged|This is not the header)"):
        imported(MemoryBackend(), b'{"header":%b,"crc32":"%08x"}\n' % (body, zlib.crc32(body)))


@pytest.mark.parametrize("number", [-1, 2**63, 10**30])
def test_a_header_with_an_impossible_counter_is_refused(number: int) -> None:
    body = json.dumps({**json.loads(header())["header"], "last_sequence": number}, separators=(",", ":")).encode()
    with pytest.raises(ValidationError, match=r"^Line 1: The header is damaged"):
        imported(MemoryBackend(), b'{"header":%b,"crc32":"%08x"}\n' % (body, zlib.crc32(body)))
