"""The machinery of benchmarks/, with sizes so small that the figures say nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks import growth, layouts, places, racing, report, setting, tasks, workloads, writers
from benchmarks.__main__ import main
from benchmarks.contender import Port
from benchmarks.growth import amounts, load, points
from benchmarks.measured import Measured

if TYPE_CHECKING:
    from pathlib import Path

ON_SQLITE = ("--database", "sqlite", "--backend", "peewee", "--rounds", "1")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "SINGLE", 20)
    monkeypatch.setattr(workloads, "EVENTS", 40)
    monkeypatch.setattr(workloads, "BATCH", 10)
    monkeypatch.setattr(writers, "APPENDS", 3)
    # No bar in a test: what else the machine does has a say.
    monkeypatch.setattr(Measured, "is_within", property(lambda row: row.failure is None))


def test_figures_and_what_they_were_measured_on_come_out_as_json(tmp_path: Path) -> None:
    assert main([*ON_SQLITE, "--workload", "W1", "--workload", "W2", "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert {"python", "sqlite", "peewee"} <= found["environment"].keys()
    assert [(row["workload"][:2], row["database"], row["backend"]) for row in found["measured"]] == [
        ("W1", "sqlite, durable", "peewee"),
        ("W1", "sqlite", "peewee"),
        ("W2", "sqlite, durable", "peewee"),
        ("W2", "sqlite", "peewee"),
    ]
    assert all(row["from"] == row["median"] == row["to"] > 0 for row in found["measured"])


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_many_writers_are_measured(kind: str) -> None:
    with places.places(("sqlite",)) as where:
        rows = list(writers.Writers(kind, 8).measure(setting.Setting(where, ("peewee",), 1)))
    assert [row.failure for row in rows] == [None] * len(rows)
    assert len(rows) == 2 * (3 if kind == "threads" else 1)


def test_tasks_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"COUNT": 4, "APPENDS": 2, "ALONE": 5, "WARM_UP": 1}.items():
        monkeypatch.setattr(tasks, name, few)
    with places.places(("sqlite",)) as where:
        rows = list(tasks.measure(setting.Setting(where, ("peewee",), 1), sessions=2))
    assert [(row.failure, len(row.figures)) for row in rows] == [(None, 1)]


def test_layouts_are_measured() -> None:
    with places.places(("postgresql",)) as where:
        on_one = setting.Setting(where, ("peewee",), 1)
        one_by_one = list(layouts.names())[::2]
        rows = [row for name in one_by_one for row in layouts.measure(on_one, name=name)]
    assert [(row.failure, row.bar, len(row.figures)) for row in rows] == [(None, None, 1)] * 3


@pytest.mark.parametrize("name", ["W4 read the last", "W5 20th page of 50 of 200,000"])
def test_reads_are_measured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "TAKEN", 10)
    [workload] = [each for each in workloads.WORKLOADS if each.name.startswith(name)]
    if "page" in name:
        few = partial(workloads.page_of, number=2, sessions=120)
        workload = replace(workload, steps=few, seed=partial(workloads.seed_sessions, sessions=120))
    with places.places(("sqlite",)) as where:
        rows = list(racing.race(workload, where["sqlite", False], ("peewee",), 1))
    assert [row.failure for row in rows] == [None]


class Forgetful(Port):
    """Says that it has stored an event, and has not."""

    def append(self, fact: Any) -> Any:
        return fact if fact.data["tokens"] == 7 else super().append(fact)


def test_a_backend_that_loses_an_event_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "Port", Forgetful)
    assert main([*ON_SQLITE, "--workload", "W1", "--json", str(tmp_path / "out.json")]) == 1
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert {row["failure"] for row in found["measured"]} == {"AssertionError: the log has a gap"}


def test_growth_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "BUDGET", 0.0)
    for name, few in {"EVENTS": (10, 20), "SESSIONS": (50, 100), "SIZES": (100, 1000), "BATCHES": (1, 10)}.items():
        monkeypatch.setattr(amounts, name, few)
    for name, value in {
        "WRITERS": (1, 2),
        "TASKS": (1, 2),
        "APPENDS": 8,
        "CHECKPOINTS": (100, 200),
        "CHECKED": 10,
    }.items():
        monkeypatch.setattr(load, name, value)
    with places.places(("sqlite",)) as where:
        told: list[str] = []
        series, is_whole = growth.measured(setting.Setting(where, ("peewee",), 1), told.append)
    assert is_whole, told
    assert {each["picture"] for each in series} == set(growth.CURVES)
    assert all(len(each["x"]) == len(each["y"]) == 2 and min(each["y"]) > 0 for each in series)


def test_a_missed_bar_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    row = Measured(workload="W1", database="sqlite", backend="peewee", floor=1e-5, figures=[1.9, 2.1, 2.2], bar=2.0)
    assert not row.is_within
    assert report.cells(row)[3:] == ("10.0 µs", "2.10", "1.90", "2.20", "2.00", "NO")


def test_the_table_takes_its_place_in_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n", "utf-8")
    row = Measured(workload="W1", database="sqlite", backend="peewee", floor=1e-5, figures=[1.5], bar=2.0)
    report.write_into(page, [row], {"python": "3.11"})
    text = page.read_text("utf-8")
    assert "old" not in text
    assert text.startswith("before\n<!-- measured -->\n")
    assert "| W1 | sqlite | peewee | 10.0 µs | 1.50 | 1.50 | 1.50 | 2.00 | yes |" in text
