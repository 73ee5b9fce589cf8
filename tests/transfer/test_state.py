"""Records of state in files and copies: exact, incremental, and never over a later state."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from exports import forged, sealed

import asm_core as asm
from asm_contract_tests.making import a_record
from asm_core.memory import MemoryBackend
from asm_core.querying.pages import all_items
from asm_core.transfer import StateReport
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMESPACES = ("agents:support", "é:🙂", "user:1")
VALUES = (None, 0, -1.5, "\0", [1, {"a": []}], {"b": {"c": "🙂\u2028"}})


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], asm.Backend]]:
    """Open a handle on an empty store, at each call on the same one, except in memory."""
    urls = {"memory": lambda: None, "sqlite": lambda: f"sqlite:///{tmp_path}/target.db"}
    url = urls.get(request.param, lambda: request.getfixturevalue("postgresql_url"))()
    opened: list[asm.Backend] = []

    def open_it() -> asm.Backend:
        if url is not None or not opened:
            opened.append(asm.open_backend("memory" if url is None else "sqlmodel", url=url, migrate=url is not None))
        return opened[-1]

    yield open_it
    for backend in opened:
        backend.close()


def filled(count: int = 6) -> asm.Backend:
    """Return a store with records of different values, revisions and ends."""
    backend = MemoryBackend()
    for namespace in NAMESPACES:
        for number in range(count):
            expires_at = utc_now() + timedelta(days=1) if number % 2 else None
            for _ in range(number % 3 + 1):
                backend.state_store.put(
                    namespace, f"key {number:05}", VALUES[number % len(VALUES)], expires_at=expires_at
                )
        backend.state_store.put(namespace, "past", 1, expires_at=utc_now() - timedelta(days=1))
    return backend


def records(backend: asm.Backend) -> list[asm.StateRecord]:
    store = backend.state_store
    names: list[str] = list(all_items(store.list_namespaces))
    return [record for name in names for record in all_items(store.list, namespace=name)]


def exported(backend: asm.Backend, namespace: str = "user:1", **options: Any) -> bytes:
    file = io.BytesIO()
    asm.dump_state(backend, namespace, file, **options)
    return file.getvalue()


def imported(backend: asm.Backend, data: bytes, **options: Any) -> StateReport:
    return asm.load_state(backend, io.BytesIO(data), **options)


def test_files_and_copies_keep_revisions_times_and_expiry(open_store: Callable[[], asm.Backend]) -> None:
    here, there = filled(), open_store()
    for namespace in NAMESPACES[:2]:
        assert imported(there, exported(here, namespace)) == StateReport(added=6)
    report = asm.copy_store(here, there)
    assert (report.state, report.different_records) == (StateReport(added=6, unchanged=12), ())
    assert records(there) == records(here)
    assert [exported(there, name) for name in NAMESPACES] == [exported(here, name) for name in NAMESPACES]


def test_a_repeated_copy_brings_up_to_date(open_store: Callable[[], asm.Backend]) -> None:
    here, there = filled(), open_store()
    asm.copy_store(here, there)
    here.state_store.put("user:1", "new", 1)
    here.state_store.put("user:1", "key 00001", 2)
    here.state_store.delete("user:1", "key 00002")
    here.state_store.put("user:1", "key 00002", "created again")
    here.state_store.delete("user:1", "key 00003")
    there.state_store.put("only here", "k", 1)
    assert asm.copy_store(here, there).state == StateReport(added=1, updated=2, unchanged=15)
    assert there.state_store.get("user:1", "key 00003") is not None
    assert {record.key for record in records(there)} - {record.key for record in records(here)} == {"k"}
    assert asm.copy_store(here, there).state == StateReport(unchanged=18)


@pytest.mark.parametrize("deletes_first", [False, True])
def test_a_later_state_is_not_set_back(open_store: Callable[[], asm.Backend], *, deletes_first: bool) -> None:
    here, there = filled(), open_store()
    asm.copy_store(here, there)
    if deletes_first:
        there.state_store.delete("user:1", "key 00002")
    later = there.state_store.put("user:1", "key 00002", "later")
    report = asm.copy_store(here, there)
    assert (report.state.unchanged, len(report.state.refused), report.different_records) == (17, 1, ())
    assert report.state.refused[0].startswith(
        "Record 'key 00002' of namespace 'user:1' is already stored and differs in"
    )
    assert there.state_store.get("user:1", "key 00002") == later


def test_without_update_a_record_that_differs_is_left_alone() -> None:
    here, there = filled(), MemoryBackend()
    imported(there, exported(here))
    here.state_store.put("user:1", "key 00000", "changed")
    here.state_store.put("user:1", "new", 1)
    report = imported(there, exported(here))
    assert (report.added, report.updated, report.unchanged, len(report.refused)) == (1, 0, 5, 1)
    assert "value, revision, updated_at. It was left as it is." in report.refused[0]
    assert imported(there, exported(here), update=True) == StateReport(updated=1, unchanged=6)


def test_a_record_that_expired_after_the_export_is_not_stored() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    here.state_store.put("user:1", "k", 1, expires_at=utc_now() + timedelta(days=1))
    lines = exported(here).splitlines(keepends=True)[:-1]
    lines[1] = forged(lines[1], expires_at="2026-01-01T00:00:00Z")
    assert imported(there, sealed(lines)) == StateReport(expired=1)
    assert records(there) == []


def test_an_interrupted_copy_continues(open_store: Callable[[], asm.Backend]) -> None:
    here, there = filled(600), open_store()
    steps: list[int] = []

    def stop(step: str, count: int) -> None:
        steps.append(count)
        if step == "records_copied" and len(steps) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asm.copy_store(here, there, progress=stop)
    assert 0 < len(records(there)) < 1800
    report = asm.copy_store(here, there)
    assert (report.state.added, report.state.unchanged) == (1800 - sum(steps), sum(steps))
    assert records(there) == records(here)


def test_eight_copies_at_once_store_each_record_once(open_store: Callable[[], asm.Backend]) -> None:
    here = filled(40)
    handles = [open_store() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        reports = list(threads.map(lambda there: asm.copy_store(here, there), handles))
    assert sum(report.state.added for report in reports) == 120
    assert all(report.state.added + report.state.unchanged == 120 for report in reports)
    assert not any(report.different_records or report.state.refused for report in reports)
    assert records(handles[0]) == records(here)


def test_a_copy_that_was_changed_afterwards_is_reported() -> None:
    here, there = filled(), MemoryBackend()

    def change(step: str, _count: int) -> None:
        if step == "records_copied":
            there.state_store.put(NAMESPACES[0], "key 00002", "changed")

    report = asm.copy_store(here, there, progress=change)
    assert report.different_records == ("Record 'key 00002' of namespace 'agents:support'",)


def test_values_are_redacted() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    secret = "sk-ant-api03-" + "Ab1" * 31
    here.state_store.put("user:1", "k", {"text": f"The key is {secret} .", "n": 1})
    data = exported(here, redactor=asm.Redactor())
    assert secret.encode() not in data
    imported(there, data)
    assert records(there)[0].value == {"text": "The key is [REDACTED:anthropic_api_key] .", "n": 1}


def test_each_changed_byte_is_found_before_anything_is_written() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    for key in "ab":
        here.state_store.put("user:1", key, 1)
    data = exported(here)
    for place in range(len(data)):
        damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(asm.ValidationError, match=r"^Line \d: "):
            imported(there, damaged)
        with pytest.raises(asm.ValidationError, match=r"^Line \d: "):
            imported(there, data[:place])
    assert records(there) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"namespace": "other"}, "Line 2: It belongs to namespace 'other', not to 'user:1'"),
        ({"key": "z"}, "Line 3: This record is out of order"),
        ({"revision": 0}, "Line 2: revision must be"),
        ({"surplus": 1}, "Line 2: .*surplus"),
    ],
)
def test_a_forged_line_with_sums_that_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    here, there = MemoryBackend(), MemoryBackend()
    for key in "ab":
        here.state_store.put("user:1", key, 1)
    lines = exported(here).splitlines(keepends=True)[:-1]
    lines[1] = forged(lines[1], **changes)
    with pytest.raises(asm.ValidationError, match=message):
        imported(there, sealed(lines))
    assert records(there) == []


def test_the_file_of_a_session_is_no_state() -> None:
    here = MemoryBackend()
    session = here.session_store.save_session(asm.Session.new(agent_id="agent"))
    file = io.BytesIO()
    asm.dump_session(here, session.id, file)
    with pytest.raises(asm.ValidationError, match="Line 1: This is not the header"):
        imported(here, file.getvalue())
    with pytest.raises(asm.ValidationError, match="Line 1: This is not the header"):
        asm.load_session(here, io.BytesIO(exported(here)))


def test_a_long_value_passes_through_a_file() -> None:
    here, there = MemoryBackend(), MemoryBackend()
    record = here.state_store.restore(a_record(namespace="user:1", value="é" * (2 << 20)))
    assert imported(there, exported(here)).added == 1
    assert records(there) == [record]
