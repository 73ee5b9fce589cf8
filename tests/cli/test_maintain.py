"""``asm maintain``, ``asm health`` and ``asm backends``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from asm_core.memory.retention_store import MemoryRetentionStore
from asm_core.models import Event, Session
from asm_core.plugins.discovery import Offer
from asm_core.ports import PORT_VERSION
from asm_core.recording.lifecycle.process_identity import make_stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from asm_core.ports import Backend


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str], str]:
    """Write a policy file."""

    def write(text: str) -> str:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        return str(path)

    return write


def test_the_default_policy_deletes_what_ended_long_ago(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    old = datetime.now(UTC) - timedelta(days=91)
    session = fill(status="completed", created_at=old, updated_at=old)
    fill()
    assert asm("maintain").stdout.splitlines() == [
        "Done.",
        "sessions soft-deleted\t1",
        "sessions removed permanently\t0",
        "events removed with them\t0",
        "events pruned\t0",
        "artifacts removed\t0",
        "expired records removed\t0",
        "abandoned sessions and runs closed\t0",
    ]
    assert backend.session_store.get_session(session.id).deleted_at is not None


def test_a_dry_run_changes_nothing(asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend) -> None:
    old = datetime.now(UTC) - timedelta(days=91)
    session = fill(status="completed", created_at=old, updated_at=old)
    result = asm("maintain", "--dry-run")
    assert result.stdout.startswith("Dry run, nothing was changed. Without --dry-run:\nsessions soft-deleted\t1\n")
    assert backend.session_store.get_session(session.id) == session


def test_a_policy_is_read_from_its_file(
    asm: Callable[..., Result], fill: Callable[..., Session], policy: Callable[[str], str]
) -> None:
    fill(10, status="completed")
    path = policy("[retention]\nmax_completed_session_age_days = 'unlimited'\nmax_events_per_session = 4\n")
    found = json.loads(asm("maintain", "--policy", path, "--json").stdout)
    assert (found["events_pruned"], found["sessions_soft_deleted"]) == (6, 0)
    assert (found["dry_run"], found["abandoned_closed"]) == (False, [])


def test_sessions_whose_recorder_is_gone_are_closed(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    dead = {**make_stamp(), "boot": "an earlier one"}
    session = fill(metadata={"asm": dead}, run={"status": "running"})
    assert json.loads(asm("maintain", "--dry-run", "--json").stdout)["abandoned_closed"] == []
    result = asm("maintain")
    assert "abandoned sessions and runs closed\t1\n" in result.stdout
    assert result.stderr == f"Closed {session.id}: its recorder was killed.\n"
    assert backend.session_store.get_session(session.id).status == "failed"


def test_what_is_pruned_can_be_archived(
    asm: Callable[..., Result],
    fill: Callable[..., Session],
    policy: Callable[[str], str],
    process: Callable[..., Result],
    tmp_path: Path,
) -> None:
    session = fill(10, status="completed")
    archive = f"sqlite:///{tmp_path}/archive.db"
    fields = f"max_events_per_session = 4\narchive_before_prune = true\narchive_store = '{archive}'\n"
    path = policy(f"[retention]\n{fields}")
    assert json.loads(asm("maintain", "--policy", path, "--dry-run", "--json").stdout)["events_pruned"] == 6
    assert not (tmp_path / "archive.db").exists()
    assert asm("maintain", "--policy", path).exit_code == 0
    assert len(json.loads(process("--url", archive, "show", session.id, "--json").stdout)["events"]) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no table [retention]."),
        ("retention = 5", "has no table [retention]."),
        ("[retention]\nmax_events = 5", "A retention policy has no field 'max_events'."),
        ("[retention]\nbatch_size = 0", "batch_size must be an integer of at least 1"),
        ("[retention]\nbatch_size = 1.5", "batch_size must be an integer of at least 1"),
        ("[retention]\narchive_before_prune = true", "archive_before_prune is set without an archive_store"),
        ("[retention]\narchive_store = 'x'", "No store is configured as [stores.x]"),
        ("[retention]\narchive_store = 5", "archive_store must be the name of a configured store or a URL, not 5."),
        ("[retention", "cannot be read as TOML: "),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    asm: Callable[..., Result], backend: Backend, policy: Callable[[str], str], text: str, message: str
) -> None:
    assert backend.name
    result = asm("maintain", "--policy", policy(text))
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr


def test_a_healthy_store_is_reported_as_healthy(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    fill()
    result = asm("health")
    assert (result.exit_code, result.stdout) == (0, "healthy\n")
    assert json.loads(asm("health", "--json").stdout) == {"healthy": True, "faults": []}


def test_each_fault_is_reported_and_the_status_is_1(
    asm: Callable[..., Result], fill: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    monkeypatch.setattr(MemoryRetentionStore, "check_integrity", lambda _self: ["one \x1b", "two"])
    result = asm("health")
    assert (result.exit_code, result.stdout) == (1, "one \\x1b\ntwo\n")
    assert json.loads(asm("health", "--json").stdout) == {"healthy": False, "faults": ["one \x1b", "two"]}


def test_installed_backends_are_listed(asm: Callable[..., Result]) -> None:
    header, *lines = (line.split("\t") for line in asm("backends").stdout.splitlines())
    found = {line[0]: dict(zip(header, line, strict=True)) for line in lines}
    assert found["memory"] == {
        "name": "memory",
        "status": "ok",
        "distribution": "asm-core",
        "version": found["memory"]["version"],
        "ports": str(PORT_VERSION),
        "databases": "memory",
        "capabilities": "bind global_event_ids transactions",
        "error": "-",
    }
    assert "sqlmodel" in found


def test_a_broken_backend_is_shown_as_broken(asm: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def load(self) -> None:
            message = "x\ny"
            raise ImportError(message)

    broken = Offer(name="acme", distribution="acme-asm", version="2.0", value="acme", entry=Entry())
    monkeypatch.setattr("asm_core.plugins.loading.find_offers", lambda _group: [broken])
    error = "The backend 'acme' (acme-asm 2.0) cannot be loaded: ImportError: x\\ny. Reinstall it, or choose another."
    result = asm("backends")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1] == f"acme\tbroken\tacme-asm\t2.0\t-\t-\t-\t{error}"
    (found,) = json.loads(asm("backends", "--json").stdout)
    assert (found["status"], found["error"]) == ("broken", error)


def test_compaction_reports_the_size_before_and_after(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    fill()
    assert asm("maintain", "--compact").stdout.splitlines()[-1] == "Compacted: 0 bytes before, 0 bytes after."
    report = json.loads(asm("maintain", "--compact", "--json").stdout)
    assert report["compaction"] == {"size_before": 0, "size_after": 0}
    assert "compaction" not in json.loads(asm("maintain", "--compact", "--dry-run", "--json").stdout)


def test_a_dry_run_lists_the_sessions_and_why(
    asm: Callable[..., Result], backend: Backend, policy: Callable[[str], str]
) -> None:
    old, deleted = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    fields: dict[str, Any] = {"agent_id": "a", "created_at": old, "updated_at": old}
    states = {
        "aged": {"status": "pending"},
        "ended": {"status": "completed", "created_at": datetime.now(UTC)},
        "gone": {"status": "completed", "deleted_at": deleted},
        "pinned": {"status": "completed", "tags": ("pinned",)},
    }
    for name, state in states.items():
        session = msgspec.structs.replace(Session.new(id=name, agent_id="a"), **{**fields, **state})
        backend.session_store.restore_session(session)
    large = backend.session_store.save_session(Session.new(id="large", agent_id="a"))
    backend.session_store.append_events(Event.new(type="message_streamed", session_id=large.id) for _ in range(7))
    text = "[retention]\nmax_session_age_days = 365\nmax_events_per_session = 5"
    dry = ("maintain", "--policy", policy(text), "--dry-run")
    lines = [line.split("\t") for line in asm(*dry).stdout.partition("\n\n")[2].splitlines()]
    assert lines == [
        ["session", "change", "reason"],
        ["aged", "sessions soft-deleted", "created 2020-01-01 (max_session_age_days = 365)"],
        ["ended", "sessions soft-deleted", "completed 2020-01-01 (max_completed_session_age_days = 90)"],
        ["gone", "sessions removed permanently", "deleted 2021-01-01 (hard_delete_after_days = 30)"],
        ["large", "events pruned", "2 events too many (max_events_per_session = 5)"],
    ]
    found = json.loads(asm(*dry, "--json").stdout)["planned"]
    assert [one["session_id"] for one in found] == ["aged", "ended", "gone", "large"]
    assert backend.session_store.get_session("aged").deleted_at is None
    assert "planned" not in json.loads(asm("maintain", "--policy", policy(text), "--json").stdout)
