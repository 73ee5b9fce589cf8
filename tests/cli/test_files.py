"""``asm export`` and ``asm import``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asm_core.cli.parsing.store import Choice
from asm_core.memory import MemoryBackend
from asm_core.models import Event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from asm_core.models import Session
    from asm_core.ports import Backend


@pytest.fixture
def elsewhere(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Backend]:
    """Let the following commands work on another store."""

    def change() -> Backend:
        assert backend.name
        other = MemoryBackend()
        monkeypatch.setattr(Choice, "open", lambda _self, **_options: other)
        return other

    return change


def test_an_import_brings_back_what_was_exported(
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    backend: Backend,
    elsewhere: Callable[[], Backend],
    tmp_path: Path,
) -> None:
    session, path = fill(5), tmp_path / "x.jsonl"
    result = asm("export", session.id[:-3], "-o", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"Exported session {session.id}: 1 run, 5 events, 0 artifacts.\n"
    other = elsewhere()
    result = asm("import", str(path))
    assert result.stdout == f"Imported session {session.id}: 1 run, 5 events, 0 artifacts.\n"
    assert other.query_api.export_session(session.id) == backend.query_api.export_session(session.id)


def test_importing_twice_changes_nothing_and_reports_it(
    asm: Callable[..., Result], fill: Callable[..., Session], tmp_path: Path
) -> None:
    session, path = fill(), tmp_path / "x.jsonl"
    asm("export", session.id, "-o", str(path))
    result = asm("import", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"Session {session.id} is already stored and equal. Nothing was imported.\n"


def test_a_conflict_is_an_error(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend, tmp_path: Path
) -> None:
    session, path = fill(), tmp_path / "x.jsonl"
    asm("export", session.id, "-o", str(path))
    backend.session_store.save_session(session.with_tags(["changed"]))
    result = asm("import", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "differs from the file in: tags, updated_at, revision. Nothing was imported" in result.stderr


def test_standard_streams_take_the_place_of_files(
    asm: Callable[..., Result], fill: Callable[..., Session], elsewhere: Callable[[], Backend], tmp_path: Path
) -> None:
    session, path = fill(), tmp_path / "x.jsonl"
    written = asm("export", session.id, "-o", "-").stdout
    asm("export", session.id, "-o", str(path))
    assert written == path.read_text(encoding="utf-8")
    other = elsewhere()
    assert asm("import", "-", given=written).exit_code == 0
    assert other.session_store.get_session(session.id) == session


def test_an_existing_file_is_replaced_only_by_force(
    asm: Callable[..., Result], fill: Callable[..., Session], tmp_path: Path
) -> None:
    session, path = fill(), tmp_path / "x.jsonl"
    path.write_text("precious")
    result = asm("export", session.id, "-o", str(path))
    assert result.exit_code == 1
    assert "exists. Choose another name, or replace it with --force." in result.stderr
    assert path.read_text() == "precious"
    assert asm("export", session.id, "-o", str(path), "--force").exit_code == 0
    assert path.read_text() != "precious"


def test_a_failed_export_leaves_no_file_and_the_old_one_alone(
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    backend: Backend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, path = fill(), tmp_path / "x.jsonl"
    path.write_text("precious")

    def fail(_session_id: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backend.artifact_registry, "list_by_session", fail)
    result = asm("export", session.id, "-o", str(path), "--force")
    assert (result.exit_code, result.stderr) == (1, "error: No space left on device\n")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("x.jsonl", "precious")]


def test_a_directory_that_does_not_exist_is_a_clear_error(
    asm: Callable[..., Result], fill: Callable[..., Session], tmp_path: Path
) -> None:
    target = tmp_path / "no" / "x.jsonl"
    result = asm("export", fill().id, "-o", str(target))
    assert result.exit_code == 1
    assert result.stderr == f"error: {target} cannot be written: the directory {target.parent} does not exist.\n"


def test_an_unknown_session_leaves_no_file(
    asm: Callable[..., Result], fill: Callable[..., Session], tmp_path: Path
) -> None:
    fill()
    assert asm("export", "unknown", "-o", str(tmp_path / "x.jsonl")).exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_export_requires_the_output_option(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    assert asm("export", fill().id).exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"", "Line 1: The file is empty"),
        (b"\x7fELF\0\0", "Line 1: This is not the header of an export"),
        (b'{"header":{"format":"asm-session","version":1', "Line 1: This is not the header of an export"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused(
    asm: Callable[..., Result], backend: Backend, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "x.jsonl"
    if content is not None:
        path.write_bytes(content)
    result = asm("import", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert backend.session_store.list_sessions() == []


def test_a_directory_without_exports_is_an_error(asm: Callable[..., Result], backend: Backend, tmp_path: Path) -> None:
    assert backend.name
    result = asm("import", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: The directory {tmp_path} has no file *.jsonl, as `asm export --all` writes them.\n"


@pytest.mark.parametrize("arguments", [(), ("last",), ("-o", "x"), ("last", "--all", "x"), ("--all", "x", "-o", "y")])
def test_a_session_and_its_file_or_a_directory_are_needed(
    asm: Callable[..., Result], fill: Callable[..., Session], arguments: tuple[str, ...]
) -> None:
    fill()
    result = asm("export", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Give a SESSION and --output FILE, or only --all" in result.stderr


def test_a_directory_brings_back_a_whole_store_and_then_what_is_new(
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    backend: Backend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sessions = [fill(number, id=name) for number, name in enumerate(("A/..", "plain", "Plain"))]
    place = tmp_path / "new" / "place"
    export = ("export", "--all", str(place))
    assert asm(*export).stderr == f"Exported 3 sessions to {place}; 0 files already there and equal.\n"
    assert asm(*export).stderr == f"Exported 0 sessions to {place}; 3 files already there and equal.\n"
    other = MemoryBackend()
    monkeypatch.setattr(Choice, "open", lambda _self, **_options: other)
    assert asm("import", str(place)).stdout.startswith("Imported 3 sessions and updated 0; 0 already stored")
    monkeypatch.setattr(Choice, "open", lambda _self, **_options: backend)
    asm("title", "plain", "a plan")
    backend.session_store.append_event(Event.new(type="turn_completed", session_id="plain"))
    backend.maintenance.soft_delete_session("Plain")
    assert asm(*export).stderr == f"Exported 2 sessions to {place}; 1 file already there and equal.\n"
    monkeypatch.setattr(Choice, "open", lambda _self, **_options: other)
    assert asm("import", str(place)).stdout.startswith("Imported 0 sessions and updated 2; 1 already stored")
    for session in sessions:
        assert other.query_api.export_session(session.id) == backend.query_api.export_session(session.id)


def test_a_directory_holds_the_records_of_state(
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    backend: Backend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(id="state")
    for namespace in ("plain", "user:1"):
        backend.state_store.put(namespace, "k", 1)
        backend.state_store.put(namespace, "l", 1)
    export = ("export", "--all", str(tmp_path))
    assert asm(*export).stderr.startswith(f"Exported 1 session and 2 namespaces of state to {tmp_path}; 0 files")
    assert len(list(tmp_path.glob("state.*.jsonl"))) == 2
    backend.state_store.put("plain", "k", 2)
    assert asm(*export).stderr.startswith(f"Exported 0 sessions and 1 namespace of state to {tmp_path}; 2 files")
    other = MemoryBackend()
    monkeypatch.setattr(Choice, "open", lambda _self, **_options: other)
    done = "Imported 4 records of state and updated 0; 0 already there and equal.\n"
    assert asm("import", str(tmp_path)).stdout.splitlines(keepends=True)[1] == done
    assert other.state_store.list("plain") == backend.state_store.list("plain")
    later = other.state_store.put("plain", "k", 3)
    result = asm("import", str(tmp_path / "state.plain.jsonl"))
    assert result.stdout == "Imported 0 records of state and updated 0; 1 already there and equal.\n"
    assert (result.exit_code, result.stderr.split(" is ")[0]) == (1, "error: Record 'k' of namespace 'plain'")
    assert other.state_store.get("plain", "k") == later


def test_records_of_state_are_imported_from_a_pipe(
    asm: Callable[..., Result], backend: Backend, elsewhere: Callable[[], Backend], tmp_path: Path
) -> None:
    record = backend.state_store.put("plain", "k", 1)
    asm("export", "--all", str(tmp_path))
    given = (tmp_path / "state.plain.jsonl").read_text(encoding="utf-8")
    other = elsewhere()
    assert asm("import", "-", given=given).stdout.startswith("Imported 1 record of state and updated 0")
    assert other.state_store.get("plain", "k") == record


def test_a_damaged_file_of_a_directory_does_not_stop_the_others(
    asm: Callable[..., Result], fill: Callable[..., Session], elsewhere: Callable[[], Backend], tmp_path: Path
) -> None:
    fill(id="one")
    fill(id="two")
    asm("export", "--all", str(tmp_path))
    (tmp_path / "one.jsonl").write_text("{}")
    other = elsewhere()
    result = asm("import", str(tmp_path))
    assert (result.exit_code, result.stdout.split(";")[0]) == (1, "Imported 1 session and updated 0")
    assert result.stderr.startswith(f"error: {tmp_path / 'one.jsonl'}: Line 1: ")
    assert [session.id for session in other.session_store.list_sessions()] == ["two"]
