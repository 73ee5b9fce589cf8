"""``asm sessions``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from asm_core.models import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from asm_core.ports import Backend


def rows(output: str) -> list[list[str]]:
    return [line.split("\t") for line in output.splitlines()]


def test_a_pipe_gets_a_line_of_names_and_a_line_a_session_newest_first(
    asm: Callable[..., Result], fill: Callable[..., Session]
) -> None:
    usage = {"token_usage": {"input_tokens": 5, "output_tokens": 2}, "cost_usd": Decimal("0.0000125")}
    old = fill(2, run=usage, created_at=datetime.now(UTC) - timedelta(days=3, hours=1))
    new = fill(0, user_id="ann", title="A plan")
    header, first, second = rows(asm("sessions").stdout)
    assert header == ["id", "agent", "user", "title", "status", "runs", "events", "tokens", "cost", "age", "active"]
    assert first[:-2] == [new.id, "agent", "ann", "A plan", "active", "1", "0", "0", "-"]
    assert second[:-1] == [old.id, "agent", "", "", "active", "1", "2", "7", "0.0000125", "3d"]
    assert all(age.endswith("s") for age in (*first[-2:], second[-1]))


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
