"""``asm db``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from asm_core.sql import LATEST_VERSION, ddl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def db(asm: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    """Call `asm db` on a database of its own."""
    return lambda *arguments, **options: asm("db", *arguments, "--url", f"sqlite:///{tmp_path}/asm.db", **options)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path / "asm.db")) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'asm_%'")
        return {name for (name,) in found}


def status(db: Callable[..., Result]) -> Any:
    return json.loads(db("status", "--json").stdout)


def test_status_without_a_database_reports_it_and_creates_none(db: Callable[..., Result], tmp_path: Path) -> None:
    result = db("status")
    assert (result.exit_code, result.stdout) == (69, "")
    assert "asm.db" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_upgrade_makes_the_newest_schema(db: Callable[..., Result]) -> None:
    assert db("upgrade").stdout == f"Migrated the schema from version 0 to {LATEST_VERSION}.\n"
    newest = LATEST_VERSION
    assert status(db) == {
        "version": newest,
        "required": newest,
        "state": "up to date",
        "text_index": "absent",
        "partitioned": False,
    }
    shown = f"Schema version {newest}; version {newest} is required: up to date.\nText index: absent.\n"
    assert db("status").stdout == shown
    assert db("upgrade").stdout == f"The schema already has version {LATEST_VERSION}. Nothing was changed.\n"


def test_an_upgrade_may_stop_on_the_way(db: Callable[..., Result]) -> None:
    assert db("upgrade", "--to", "1").stdout == "Migrated the schema from version 0 to 1.\n"
    assert status(db) == {
        "version": 1,
        "required": LATEST_VERSION,
        "state": "behind",
        "text_index": None,
        "partitioned": None,
    }
    assert db("status").stdout.endswith(": behind. Run `asm db upgrade`.\n")
    assert db("upgrade").stdout == f"Migrated the schema from version 1 to {LATEST_VERSION}.\n"


def test_a_store_with_an_older_schema_raises_with_advice(
    asm: Callable[..., Result], db: Callable[..., Result], tmp_path: Path
) -> None:
    db("upgrade", "--to", "1")
    result = asm("sessions", "--url", f"sqlite:///{tmp_path}/asm.db")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "asm db upgrade" in result.stderr


def test_downgrade_asks_and_without_yes_does_nothing(db: Callable[..., Result]) -> None:
    db("upgrade")
    for answer in ("n\n", "\n", ""):
        result = db("downgrade", "--to", "0", given=answer)
        assert result.exit_code == 1
        assert "deletes data. Continue?" in result.stderr
    assert status(db)["version"] == LATEST_VERSION


def test_downgrade_with_yes_migrates_down(db: Callable[..., Result], tmp_path: Path) -> None:
    db("upgrade")
    went = f"Migrated the schema from version {LATEST_VERSION} to 1.\n"
    assert db("downgrade", "--to", "1", given="y\n").stdout.endswith(went)  # behind the echo of what was typed
    assert db("downgrade", "--to", "0", "--yes").stdout == "Migrated the schema from version 1 to 0.\n"
    assert tables(tmp_path) <= {"asm_schema_migrations"}
    assert db("downgrade", "--to", "0").stdout == "The schema already has version 0. Nothing was changed.\n"


def test_up_and_down_are_not_mixed_up(db: Callable[..., Result]) -> None:
    db("upgrade")
    assert "run `asm db downgrade --to 1`" in db("upgrade", "--to", "1").stderr
    db("downgrade", "--to", "1", "--yes")
    assert f"run `asm db upgrade --to {LATEST_VERSION}`" in db("downgrade", "--to", str(LATEST_VERSION)).stderr
    assert status(db)["version"] == 1


@pytest.mark.parametrize(
    "arguments",
    [("upgrade", "--to", "99"), ("sql", "--to", "99"), ("sql", "--from", "-1"), ("downgrade", "--to", "-1")],
)
def test_a_version_that_does_not_exist_is_an_error(asm: Callable[..., Result], tmp_path: Path, arguments: Any) -> None:
    place = ("--url", f"sqlite:///{tmp_path}/asm.db") if arguments[0] != "sql" else ()
    result = asm("db", *arguments, *place)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Unknown schema version" in result.stderr


def test_a_backend_without_a_schema_reports_it(asm: Callable[..., Result]) -> None:
    for arguments in (("status",), ("upgrade",), ("downgrade", "--to", "0")):
        result = asm("db", *arguments, "-b", "memory")
        assert result.exit_code == 1
        assert "does not have the capability 'migrations'" in result.stderr


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_sql_prints_the_statements_of_a_dialect(asm: Callable[..., Result], dialect: str) -> None:
    shown = asm("db", "sql", "--dialect", dialect).stdout
    assert all(f"{statement};\n" in shown for statement in ddl(dialect))
    downwards = asm("db", "sql", "--dialect", dialect, "--from", str(LATEST_VERSION), "--to", "0").stdout
    assert "DROP TABLE" in downwards


def test_the_printed_sql_runs(asm: Callable[..., Result], tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "asm.db")) as connection:
        connection.executescript(asm("db", "sql").stdout)
    assert "asm_events" in tables(tmp_path)


def test_an_unknown_dialect_lists_the_known_ones(asm: Callable[..., Result]) -> None:
    result = asm("db", "sql", "--dialect", "oracle")
    assert result.exit_code == 1
    assert result.stderr == "error: Unknown dialect: 'oracle'. Known dialects: sqlite, postgresql.\n"


def test_the_sql_may_be_for_a_schema_of_postgresql(asm: Any) -> None:
    printed = asm("db", "sql", "--dialect", "postgresql", "--schema", "agents").stdout
    assert printed.startswith('CREATE SCHEMA IF NOT EXISTS "agents";\n')
    assert 'CREATE TABLE "agents".asm_events (' in printed
    assert (
        asm("db", "sql", "--schema", "agents").stderr == "error: SQLite has no schemas. Name one for postgresql only.\n"
    )


REFUSED = (
    (("--partitions", "4"), "SQLite has no partitions"),
    (("--partitions", "1"), "SQLite has no partitions"),
    (("--to", "99"), "Unknown schema version: 99"),
    (("--to", "-1"), "Unknown schema version: -1"),
)


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_a_refused_upgrade_creates_nothing(
    db: Callable[..., Result], tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = db("upgrade", "--yes", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [("--partitions", "4"), ("--to", "99")])
def test_a_refused_upgrade_leaves_an_older_schema(db: Callable[..., Result], options: tuple[str, ...]) -> None:
    db("upgrade", "--to", "3")
    assert db("upgrade", "--yes", *options).exit_code == 1
    assert status(db)["version"] == 3


def test_impossible_partitions_are_refused_before_the_question(db: Callable[..., Result]) -> None:
    assert db("upgrade").exit_code == 0
    result = db("upgrade", "--partitions", "4")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: SQLite has no partitions.")


def test_refused_partitions_leave_an_older_schema(asm: Callable[..., Result], postgresql_url: str) -> None:
    def on_server(*arguments: str) -> Result:
        return asm("db", *arguments, "--backend", "peewee", "--url", postgresql_url)

    assert on_server("upgrade", "--partitions", "4", "--yes").exit_code == 0
    assert "Runs and events are partitioned" in on_server("status").stdout
    on_server("downgrade", "--to", str(LATEST_VERSION - 1), "--yes")
    for number, message in (("1", "from 2 to 1024, not 1"), ("5", "The store has 4 partitions")):
        refused = on_server("upgrade", "--partitions", number, "--yes")
        assert refused.exit_code == 1
        assert message in refused.stderr
        assert status(on_server)["version"] == LATEST_VERSION - 1


def test_partitions_need_the_newest_schema(db: Callable[..., Result], tmp_path: Path) -> None:
    result = db("upgrade", "--partitions", "4", "--to", "3")
    assert result.exit_code == 1
    assert "Leave --to or --partitions out" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_partitioning_a_store_asks_first(asm: Callable[..., Result], postgresql_url: str) -> None:
    on_server = ("db", "upgrade", "--backend", "peewee", "--url", postgresql_url)
    asm(*on_server)
    refused = asm(*on_server, "--partitions", "4", given="n\n")
    assert refused.exit_code == 1
    assert "all other reads and writes wait" in refused.stderr
    done = f"The schema has version {LATEST_VERSION}. Runs and events have 4 partitions.\n"
    assert asm(*on_server, "--partitions", "4", given="y\n").stdout.endswith(done)
    assert asm(*on_server, "--partitions", "4", "--yes").stdout == done
    other = asm(*on_server, "--partitions", "5", "--yes")
    assert other.exit_code == 1
    assert "The store has 4 partitions" in other.stderr


def test_a_text_index_is_built_and_removed(db: Callable[..., Result]) -> None:
    assert db("upgrade", "--text-search").stdout.endswith(
        "The store has a text index.\n"
    )  # a new store: nothing to ask
    assert status(db)["text_index"] == "complete"
    assert db("status").stdout.endswith("Text index: complete.\n")
    assert db("upgrade", "--no-text-search").stdout.endswith("The store has no text index.\n")
    assert status(db)["text_index"] == "absent"
    result = db("upgrade", "--text-search", given="n\n")
    assert result.exit_code == 1
    assert "each append takes longer" in result.stderr
    assert status(db)["text_index"] == "absent"
    assert db("upgrade", "--text-search", "--yes").exit_code == 0
    assert status(db)["text_index"] == "complete"


def test_an_older_schema_has_no_text_index(db: Callable[..., Result]) -> None:
    result = db("upgrade", "--to", "1", "--text-search")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Leave --to or --text-search out" in result.stderr


def test_an_incomplete_text_index_is_shown_with_advice(db: Callable[..., Result], tmp_path: Path) -> None:
    db("upgrade", "--text-search")
    with closing(sqlite3.connect(tmp_path / "asm.db", isolation_level=None)) as connection:
        connection.execute("UPDATE asm_text_index SET is_complete = 0")
    assert "Text index: incomplete. `asm db upgrade --text-search` completes it." in db("status").stdout
