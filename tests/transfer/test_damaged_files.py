"""An export is believed only when it is whole."""

from __future__ import annotations

import io
from typing import Any

import pytest
from exports import exported, fill, forged, imported, sealed

from asm_core.errors import AsmError, ValidationError
from asm_core.memory import MemoryBackend
from asm_core.transfer import load_session


def test_each_changed_byte_is_found_before_anything_is_written() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    data = exported(here, fill(here, events=2))
    for place in range(len(data)):
        for flip in (0x01, 0x20, 0x80):
            damaged = data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]
            with pytest.raises(ValidationError, match=r"^Line \d+: ") as caught:
                imported(there, damaged)
            assert abs(caught.value.details["line"] - data.count(b"\n", 0, place) - 1) <= 1
    assert there.session_store.list_sessions() == []


def test_a_file_cut_off_anywhere_is_refused() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    data = exported(here, fill(here, events=2))
    for length in range(len(data)):
        with pytest.raises(ValidationError, match=r"^Line \d+: "):
            imported(there, data[:length])
    assert there.session_store.list_sessions() == []


def test_a_file_with_a_line_more_less_twice_or_elsewhere_is_refused() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    data = exported(here, fill(here))
    lines = data.splitlines(keepends=True)
    for at in range(1, len(lines)):
        for changed in (
            lines[:at] + lines[at + 1 :],
            [*lines[:at], lines[at], *lines[at:]],
            [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]],
            [*lines, lines[at]],
        ):
            with pytest.raises(ValidationError, match=r"^Line \d+: "):
                imported(there, b"".join(changed))
    assert there.session_store.list_sessions() == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Line 1: The file is empty"),
        (b"\0\xff" * 100_000, "Line 1: This is not the header"),
        (b"[1]\n", "Line 1: This is not the header"),
        (b'{"header":{"format":"other","version":1}}\n', "Line 1: This is not the header"),
        (b"[" * 60_000, "Line 1: This is not the header"),
        (b'{"header":{"format":"asm-session","version":2}}\n', "Line 1: The format has version 2, .* reads version 1"),
        (b'{"header":{"format":"asm-session","version":1}}\n', "Line 1: The line is damaged"),
    ],
)
def test_what_is_no_export_is_refused_by_its_first_line(data: bytes, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        imported(MemoryBackend(), data)


@pytest.mark.parametrize(
    ("line", "fields", "message"),
    [
        (1, {"status": "odd"}, "Line 2: Unknown session status: 'odd'"),
        (1, {"id": "ses_other"}, "Line 2: It belongs to session 'ses_other'"),
        (2, {"session_id": "ses_other"}, "Line 3: It belongs to session 'ses_other'"),
        (2, {"started_at": "2026-12-31T00:00:00Z"}, "Line 4: This run is out of order"),
        (4, {"sequence_number": None}, "Line 5: The event has the number None"),
        (4, {"sequence_number": 6}, "Line 5: The event has the number 6; the last is 5"),
        (4, {"sequence_number": 2}, "Line 6: This event is out of order"),
        (4, {"type": "odd"}, "Line 5: Unknown event type: 'odd'"),
        (4, {"surplus": 1}, "Line 5: .*surplus"),
        (9, {"deleted_at": "2026-12-31T00:00:00Z"}, "Line 10: The artifact is deleted"),
    ],
)
def test_a_forged_line_with_sums_that_fit_is_refused(line: int, fields: dict[str, Any], message: str) -> None:
    here, there = MemoryBackend(), MemoryBackend()
    lines = exported(here, fill(here)).splitlines(keepends=True)[:-1]
    lines[line] = forged(lines[line], **fields)
    with pytest.raises(ValidationError, match=message):
        imported(there, sealed(lines))
    assert there.session_store.list_sessions() == []


def test_a_file_changed_between_the_check_and_the_writing_is_rolled_back() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    data = exported(here, fill(here))
    lines = data.splitlines(keepends=True)
    changed = b"".join([*lines[:4], forged(lines[4], data={}), *lines[5:]])

    class Changing(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            if whence == 0 and offset == 0:  # reading starts again: the check is over
                super().seek(0)
                self.write(changed)
                self.truncate()
            return super().seek(offset, whence)

    with pytest.raises(AsmError, match="changed during the import"):
        load_session(there, Changing(data))
    assert there.session_store.list_sessions() == []
