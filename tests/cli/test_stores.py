"""``asm copy`` and ``asm backup``, on databases."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import asm_core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processes import Complete

    from asm_core.ports import Backend


@pytest.fixture
def store(environment: dict[str, str]) -> Iterator[Backend]:
    """Return the store that processes work on, with three sessions."""
    environment["ASM_BACKEND"] = "peewee"
    with asm_core.open_backend("peewee", url=environment["ASM_URL"], migrate=True) as backend:
        for number in range(3):
            session = backend.session_store.save_session(
                asm_core.Session.new(agent_id="agent", user_id=f"user {number}")
            )
            run = backend.session_store.save_run(asm_core.Run.new(session_id=session.id, input={"text": "✓"}))
            backend.session_store.append_events(
                asm_core.Event.new(type="message_streamed", session_id=session.id, run_id=run.id, data={"delta": "é"})
                for _ in range(number)
            )
        for key in ("color", "size"):
            backend.state_store.put("user:1", key, {"text": "✓"})
        backend.state_store.put("user:1", "size", 2)
        yield backend


def exported(backend: Backend) -> dict[str, object]:
    sessions = backend.query_api.search_sessions(include_deleted=True)
    found: dict[str, object] = {session.id: backend.query_api.export_session(session.id) for session in sessions}
    return {**found, "state": backend.state_store.list("user:1").items}


def test_a_store_is_copied_to_postgresql_and_back(
    process: Complete, store: Backend, postgresql_url: str, tmp_path: Path
) -> None:
    done = process("copy", "--to", postgresql_url)
    assert done.stdout == (
        "Copied 3 sessions and updated 0; 0 already there and equal.\n"
        "Copied 2 records of state and updated 0; 0 already there and equal.\n"
        "Checked 3 sessions and 2 records of state: equal in both stores.\n"
    )
    back = f"sqlite:///{tmp_path}/back.db"
    done = process("copy", "--from", postgresql_url, "--to", back, "-b", "sqlmodel")
    assert (done.returncode, done.stderr) == (0, "")
    with asm_core.open_backend("peewee", url=back) as copy:
        assert exported(copy) == exported(store)


def test_a_repeated_copy_adds_what_is_new(process: Complete, store: Backend, tmp_path: Path) -> None:
    target = ("copy", "--to", f"sqlite:///{tmp_path}/copy.db")
    process(*target)
    first, second, _ = store.session_store.list_sessions()
    store.session_store.append_event(asm_core.Event.new(type="turn_completed", session_id=first.id))
    store.session_store.update_session(second.id, lambda session: session.with_status("active"))
    done = process(*target)
    assert done.stdout.startswith("Copied 0 sessions and updated 2; 1 already there and equal.\n")
    assert process(*target).stdout.startswith("Copied 0 sessions and updated 0; 3 already there and equal.\n")


def test_a_later_state_in_the_target_is_not_set_back(process: Complete, store: Backend, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/copy.db"
    process("copy", "--to", url)
    session = store.session_store.list_sessions()[0]
    with asm_core.open_backend("peewee", url=url) as copy:
        changed = copy.session_store.update_session(session.id, lambda stored: stored.with_title("later"))
        done = process("copy", "--to", url)
        assert (done.returncode, done.stdout.count("Checked")) == (1, 0)
        assert done.stderr.startswith(f"error: Session {session.id} is already stored and differs")
        assert copy.session_store.get_session(session.id) == changed


def test_a_record_of_state_that_differs_is_left_as_it_is(process: Complete, store: Backend, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/copy.db"
    process("copy", "--to", url)
    store.state_store.put("user:1", "color", "changed")
    with asm_core.open_backend("peewee", url=url) as copy:
        changed = copy.state_store.put("user:1", "size", "later")
        done = process("copy", "--to", url)
        assert done.returncode == 1
        assert done.stdout.splitlines()[1:] == ["Copied 0 records of state and updated 1; 0 already there and equal."]
        assert done.stderr.startswith(
            "error: Record 'size' of namespace 'user:1' is already stored and differs in: value"
        )
        assert copy.state_store.get("user:1", "size") == changed


def test_a_backup_of_a_store_in_use_is_that_store(process: Complete, store: Backend, tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    with store.transaction() as ports:  # it is not committed, and so is in no backup
        ports.session_store.save_session(asm_core.Session.new(agent_id="open"))
        ports.state_store.put("open", "k", 1)
        done = process("backup", str(path))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"Copied {tmp_path / 'asm.db'} to {path}: 3 sessions, ")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        wanted = {"agent"}
    assert {session.agent_id for session in store.session_store.list_sessions()} == {*wanted, "open"}
    restored = json.loads(process("--url", f"sqlite:///{path}", "sessions", "--json").stdout)
    assert {session["agent_id"] for session in restored} == wanted
    with asm_core.open_backend("sqlmodel", url=f"sqlite:///{path}") as copy:
        assert copy.maintenance.health_check() == []
        found = exported(store)
        assert exported(copy) == {name: found[name] for name in exported(copy)}
        assert len(exported(copy)) == 4
        assert copy.state_store.list_namespaces().items == ["user:1"]
    assert not [one for one in tmp_path.iterdir() if one.name.endswith(".part")]


def test_a_backup_does_not_replace_a_file_unless_it_is_forced(
    process: Complete, store: Backend, tmp_path: Path
) -> None:
    path = tmp_path / "copy.db"
    path.write_text("mine")
    done = process("backup", str(path))
    assert (done.returncode, path.read_text()) == (1, "mine")
    assert done.stderr == f"error: {path} exists. Choose another name, or replace it with --force.\n"
    assert process("backup", str(path), "--force").returncode == 0
    with asm_core.open_backend("pony", url=f"sqlite:///{path}") as copy:
        assert exported(copy) == exported(store)


@pytest.mark.parametrize("name", ["asm.db", "./asm.db", "link.db"])
@pytest.mark.parametrize("command", [("backup",), ("export", "last", "-o")], ids=" ".join)
def test_the_store_itself_is_not_replaced_by_what_is_read_from_it(
    process: Complete, store: Backend, tmp_path: Path, command: tuple[str, ...], name: str
) -> None:
    (tmp_path / "link.db").symlink_to("asm.db")
    before = (tmp_path / "asm.db").stat().st_ino
    done = process(*command, name, "--force")
    assert (done.returncode, done.stderr) == (1, f"error: {Path(name)} is the store itself. Choose another name.\n")
    assert (tmp_path / "asm.db").stat().st_ino == before
    assert len(store.session_store.list_sessions()) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--backend", "memory"), "asm export --all"),
        (("--url", "postgresql://host/database"), "pg_dump --format=custom --file=FILE DATABASE"),
        (("--url", "sqlite:///missing.db"), "missing.db"),
    ],
)
def test_a_backup_of_another_store_is_refused(
    process: Complete, environment: dict[str, str], tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    environment.pop("ASM_URL")
    environment["ASM_BACKEND"] = "peewee"
    done = process("backup", "copy.db", *options)
    assert done.returncode in {1, 69}
    assert message in done.stderr
    assert not list(tmp_path.iterdir())
