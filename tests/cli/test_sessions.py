"""``asm sessions``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from asm_core.cli.commands.sessions import COLUMNS
from asm_core.cli.output import printing
from asm_core.models import Run, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from asm_core.ports import Backend


def rows(output: str) -> list[list[str]]:
    return [line.split("\t") for line in output.splitlines()]


def test_a_pipe_gets_a_line_of_names_and_a_line_a_session_newest_first(
    asm: Callable[..., Result], fill: Callable[..., Session]
) -> None:
    now = datetime.now(UTC)
    usage = {"token_usage": {"input_tokens": 5, "output_tokens": 2}, "cost_usd": Decimal("0.0000125")}
    command = {"input": {"command": ["echo", "a b"]}, "status": "completed", "output": {"exit_code": 0}}
    began = now - timedelta(days=3, hours=1)
    old = fill(
        2, run={**usage, **command, "started_at": began, "ended_at": began + timedelta(seconds=61)}, created_at=began
    )
    new = fill(0, user_id="ann", title="A plan")
    header, first, second = (dict(zip(COLUMNS, row, strict=True)) for row in rows(asm("sessions").stdout))
    assert tuple(header) == tuple(header.values())
    assert first.pop("age").endswith("s")
    assert first.pop("active").endswith("s")
    assert second.pop("active")
    assert list(first.values()) == [new.id, "agent", "ann", "A plan", "", "active", "-", "1", "0", "-", "-", "-"]
    shown = [old.id, "agent", "", "", "echo 'a b'", "active", "0", "1", "2", "7", "0.0000125", "1m01s", "3d"]
    assert list(second.values()) == shown


def test_exit_status_and_command_are_those_of_the_last_run(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    begun = datetime.now(UTC) - timedelta(hours=1)
    session = fill(
        0, run={"status": "completed", "input": {"command": ["one"]}, "output": {"exit_code": 0}, "started_at": begun}
    )
    failed: dict[str, Any] = {
        "error": {"code": "c", "message": "m", "details": {"exit_code": 3}},
        "input": {"command": ["two"]},
    }
    run = msgspec.structs.replace(
        Run.new(session_id=session.id), status="failed", started_at=begun + timedelta(minutes=1), **failed
    )
    backend.session_store.save_run(run)
    (found,) = json.loads(asm("sessions", "--json").stdout)
    assert (found["exit_code"], found["command"], found["duration_seconds"]) == (3, "two", None)


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_gets_a_line_a_session_with_a_short_id(
    asm: Callable[..., Result], fill: Callable[..., Session], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(printing, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    run = {"status": "failed", "error": {"code": "c", "message": "m", "details": {"exit_code": 3}}}
    sessions = [fill(1, agent_id="agent " * 9, user_id="user " * 9, title="title " * 50, run=run) for _ in range(3)]
    header, _, *drawn = asm("sessions").stdout.rstrip("\n").split("\n")
    assert header.split()[0] == "id"
    assert [line[:8] for line in drawn] == [session.id[-8:] for session in reversed(sessions)]
    assert all(len(line) <= width and "…" in line for line in drawn)
    for column in header.split() if width == 80 else COLUMNS:
        assert column in header or column == "command"


def test_json_is_an_array_of_objects(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    session = fill(2, tags=["t"], metadata={"k": [1]})
    (found,) = json.loads(asm("sessions", "--json").stdout)
    assert {**session.to_dict(), "runs": 1, "events": 2}.items() <= found.items()
    assert (found["cost_usd"], found["unpriced_runs"]) == (None, 1)
    assert found["runs_by_status"] == {"pending": 1}


def test_an_empty_store_gives_an_empty_list(asm: Callable[..., Result], backend: Backend) -> None:
    assert backend.session_store.list_sessions() == []
    assert json.loads(asm("sessions", "--json").stdout) == []
    assert len(rows(asm("sessions").stdout)) == 1


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), "dcba"),
        (("--agent", "one"), "ba"),
        (("--agent", "one", "--agent", "two"), "cba"),
        (("--status", "completed"), "c"),
        (("--tag", "x"), "cb"),
        (("--tag", "x", "--tag", "y"), "c"),
        (("--provider", "other"), "a"),
        (("--since", "25h"), "dcb"),
        (("--until", "25h"), "a"),
        (("--since", "49h", "--until", "47h"), "a"),
        (("--limit", "2"), "dc"),
        (("-n", "2", "--all"), "dcba"),
        (("--deleted",), "edcba"),
    ],
)
def test_filters_narrow_the_list(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend, options: tuple[str, ...], found: str
) -> None:
    now = datetime.now(UTC)
    fill(id="a", agent_id="one", created_at=now - timedelta(hours=48), run={"provider": "other"})
    fill(id="b", agent_id="one", created_at=now - timedelta(hours=24), tags=["x"])
    fill(id="c", agent_id="two", created_at=now - timedelta(hours=2), tags=["x", "y"], status="completed")
    fill(id="d", agent_id="three", created_at=now - timedelta(hours=1))
    deleted = Session.new(id="e", agent_id="four", created_at=now)
    backend.session_store.restore_session(Session.from_dict({**deleted.to_dict(), "deleted_at": now.isoformat()}))
    assert "".join(one["id"] for one in json.loads(asm("sessions", "--json", *options).stdout)) == found


def test_all_pages_through_more_than_a_page(asm: Callable[..., Result], backend: Backend) -> None:
    for number in range(1203):
        backend.session_store.save_session(Session.new(agent_id=f"agent {number}"))
    assert len(json.loads(asm("sessions", "--json").stdout)) == 50
    assert len({one["agent_id"] for one in json.loads(asm("sessions", "--json", "--all").stdout)}) == 1203


def test_a_deleted_session_is_marked(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill()
    backend.maintenance.soft_delete_session(session.id)
    header, row = rows(asm("sessions", "--deleted").stdout)
    assert row[header.index("status")] == "active (deleted)"


def test_names_cannot_command_the_terminal_or_break_a_row(
    asm: Callable[..., Result], fill: Callable[..., Session]
) -> None:
    fill(agent_id="evil\x1b[2J\tname\n")
    assert rows(asm("sessions").stdout)[1][1] == r"evil\x1b[2J\tname\n"


@pytest.mark.parametrize(
    "options", [("--limit", "0"), ("--since", "soon"), ("--limit", "x"), ("--unknown",), ("surplus",)]
)
def test_wrong_usage_ends_with_2(asm: Callable[..., Result], backend: Backend, options: tuple[str, ...]) -> None:
    assert backend.name
    result = asm("sessions", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_an_unknown_status_lists_the_known_ones(asm: Callable[..., Result], backend: Backend) -> None:
    assert backend.name
    result = asm("sessions", "--status", "done")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: Unknown session status: 'done'. Known statuses: pending, active")
