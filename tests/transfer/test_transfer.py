"""An import is the exact inverse of an export, onto any backend."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from exports import exported, fill, forged, imported, sealed

from asm_core.errors import AlreadyExistsError, SessionNotFoundError
from asm_core.memory import MemoryBackend
from asm_core.models import Event, Run, Session
from asm_core.plugins import open_backend
from asm_core.transfer import dump_session, load_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asm_core.ports import Backend


@pytest.fixture(params=["memory", "sqlmodel"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Backend]]:
    """Open a new, empty store at each call."""
    opened: list[Backend] = []

    def open_new() -> Backend:
        url = None if request.param == "memory" else f"sqlite:///{tmp_path}/{len(opened)}.db"
        opened.append(open_backend(request.param, url=url, migrate=True))
        return opened[-1]

    yield open_new
    for backend in opened:
        backend.close()


def test_an_import_is_the_exact_inverse_of_an_export(open_store: Callable[[], Backend]) -> None:
    here, there = open_store(), open_store()
    session_id = fill(here)

    report = imported(there, exported(here, session_id))

    wanted = here.query_api.export_session(session_id, include_artifacts=True)
    assert there.query_api.export_session(session_id, include_artifacts=True) == wanted
    assert (report.session_added, report.runs_added, report.events_added, report.artifacts_added) == (True, 2, 5, 1)


def test_exporting_what_was_imported_gives_the_same_bytes(open_store: Callable[[], Backend]) -> None:
    here, there = open_store(), open_store()
    data = exported(here, fill(here))
    imported(there, data)
    assert exported(there, json.loads(data.splitlines()[0])["header"]["session_id"]) == data


def test_the_time_of_soft_deletion_gaps_and_the_counter_survive(open_store: Callable[[], Backend]) -> None:
    here, there = open_store(), open_store()
    session = Session.from_dict(
        {**Session.new(agent_id="a").to_dict(), "deleted_at": "2026-02-03T04:05:06Z", "revision": 1}
    )
    events = [Event.new(type="turn_completed", session_id=session.id).numbered(number) for number in (2, 7)]
    here.session_store.restore_session(session, (), events, last_sequence=9)

    imported(there, exported(here, session.id))

    assert there.session_store.get_session(session.id) == session
    assert there.session_store.get_events(session.id) == events
    there.maintenance.undelete_session(session.id)
    assert (
        there.session_store.append_event(Event.new(type="turn_completed", session_id=session.id)).sequence_number == 10
    )


def test_importing_twice_is_a_reported_no_op(open_store: Callable[[], Backend]) -> None:
    here, there = open_store(), open_store()
    data = exported(here, fill(here))
    assert imported(there, data).changed
    assert not imported(there, data).changed


def test_events_that_were_pruned_come_back(open_store: Callable[[], Backend]) -> None:
    here, there = open_store(), open_store()
    session_id = fill(here)
    pruned = here.session_store.get_events(session_id)[::2]
    there.session_store.restore_session(here.session_store.get_session(session_id), (), pruned, last_sequence=5)
    assert imported(there, exported(here, session_id)).events_added == 2
    assert there.session_store.get_events(session_id) == here.session_store.get_events(session_id)


@pytest.mark.parametrize("kind", ["session", "run", "event", "artifact"])
def test_what_is_stored_and_differs_is_a_conflict_and_nothing_is_written(
    open_store: Callable[[], Backend], kind: str
) -> None:
    here, there = open_store(), open_store()
    lines = exported(here, fill(here)).splitlines(keepends=True)[:-1]
    imported(there, sealed(lines))
    at = next(index for index, line in enumerate(lines) if line.startswith(b'{"%b"' % kind.encode()))
    lines[at] = forged(lines[at], metadata={"other": True})
    before = exported(there, json.loads(lines[0])["header"]["session_id"])
    with pytest.raises(AlreadyExistsError, match="metadata"):
        imported(there, sealed(lines))
    assert exported(there, json.loads(lines[0])["header"]["session_id"]) == before


def test_the_run_of_another_session_is_a_conflict(open_store: Callable[[], Backend]) -> None:
    here, there = open_store(), open_store()
    data = exported(here, fill(here))
    other = there.session_store.save_session(Session.new(agent_id="other"))
    run_id = json.loads(data.splitlines()[2])["run"]["id"]
    there.session_store.save_run(Run.new(id=run_id, session_id=other.id))
    with pytest.raises(AlreadyExistsError, match=run_id):
        imported(there, data)
    assert [session.id for session in there.session_store.list_sessions()] == [other.id]


def test_a_conflict_found_while_writing_rolls_everything_back(open_store: Callable[[], Backend]) -> None:
    here, there = open_store(), open_store()
    data = exported(here, fill(here))
    other = there.session_store.save_session(Session.new(agent_id="other"))
    event_id = json.loads(data.splitlines()[-3])["event"]["id"]
    there.session_store.append_event(Event.new(id=event_id, type="turn_completed", session_id=other.id))
    with pytest.raises(AlreadyExistsError, match=event_id):
        imported(there, data)
    assert [session.id for session in there.session_store.list_sessions()] == [other.id]


def test_memory_grows_neither_with_the_session_nor_with_the_file(tmp_path: Path) -> None:
    size = 20_000
    here = open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/here.db", migrate=True)
    there = open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/there.db", migrate=True)
    session_id = fill(here, size)
    with here, there, (tmp_path / "x.jsonl").open("w+b") as file:
        tracemalloc.start()
        dump_session(here, session_id, file)
        file.seek(0)
        load_session(there, file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < file.tell() / 2
        assert there.session_store.get_latest_sequence(session_id) == size


def test_a_pipe_can_be_imported() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

    here, there = MemoryBackend(), MemoryBackend()
    assert load_session(there, Pipe(exported(here, fill(here)))).events_added == 5


def test_a_session_that_moves_on_is_exported_as_it_stood_at_one_moment() -> None:
    backend = MemoryBackend()
    session_id = fill(backend)
    store, moves = backend.session_store, iter(range(3))
    look = store.get_latest_sequence

    def move_on_then_look(session_id: str) -> int:
        if next(moves, None) is not None:
            session = store.get_session(session_id)
            number = session.metadata.get("moves", 0) + 1
            store.save_session(session.with_metadata({"moves": number}))
            store.append_event(Event.new(type="turn_completed", session_id=session_id, data={"moves": number}))
        return look(session_id)

    store.get_latest_sequence = move_on_then_look  # type: ignore[method-assign]
    lines = [json.loads(line) for line in exported(backend, session_id).splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    assert lines[1]["session"]["metadata"]["moves"] == events[-1]["data"]["moves"] == 3


def test_an_unknown_session_cannot_be_exported(open_store: Callable[[], Backend]) -> None:
    with pytest.raises(SessionNotFoundError):
        exported(open_store(), "ses_unknown")
