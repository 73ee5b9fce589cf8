"""Migrations up and down, and what `asm db sql` prints of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from old_runs import BEFORE, NEW_COLUMNS, PARTS, fill_runs
from typer.testing import CliRunner

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend
from asm_core.cli.program import app
from asm_core.sql import LATEST_VERSION

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = range(LATEST_VERSION + 1)


def schema(path: Path | str) -> dict[str, str]:
    """Return the definitions of tables and indexes; white space differs after SQLite has dropped a column."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return {name: " ".join(sql.split()).replace(" )", ")") for name, sql in found}


def applied(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT version FROM asm_schema_migrations ORDER BY version")]


def at(path: Path, version: int) -> dict[str, str]:
    with SQLModelBackend.open(f"sqlite:///{path}", migrate=version):
        return schema(path)


def printed(*options: str) -> str:
    result = CliRunner().invoke(app, ["db", "sql", "--dialect", "sqlite", *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("lower", VERSIONS)
@pytest.mark.parametrize("upper", VERSIONS)
def test_up_down_and_up_again_is_the_same(tmp_path: Path, lower: int, upper: int) -> None:
    first = at(tmp_path / "a.db", upper)
    before = at(tmp_path / "b.db", lower)
    assert at(tmp_path / "b.db", upper) == first or upper == 0
    assert at(tmp_path / "b.db", lower) == before or lower == 0
    assert at(tmp_path / "b.db", upper) == first or upper == 0


def test_down_to_0_leaves_none_of_the_tables(tmp_path: Path) -> None:
    at(tmp_path / "a.db", LATEST_VERSION)
    assert not {name for name in at(tmp_path / "a.db", 0) if name != "asm_schema_migrations"}


def test_each_version_passed_is_noted(tmp_path: Path) -> None:
    for version in (LATEST_VERSION, 1, LATEST_VERSION):
        at(tmp_path / "a.db", version)
        assert applied(tmp_path / "a.db") == list(range(1, version + 1))


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE asm_artifacts (theirs)")
    with pytest.raises(asm.QueryError, match="asm_artifacts already exists"):
        at(tmp_path / "a.db", LATEST_VERSION)
    assert schema(tmp_path / "a.db") == {"asm_artifacts": "CREATE TABLE asm_artifacts (theirs)"}


def test_tables_of_the_application_are_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE theirs (id)")
        connection.execute("INSERT INTO theirs VALUES (7)")
    at(tmp_path / "a.db", LATEST_VERSION)
    at(tmp_path / "a.db", 0)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT * FROM theirs").fetchall() == [(7,)]


def test_what_is_printed_makes_the_tables_that_migrating_makes(tmp_path: Path) -> None:
    migrated = at(tmp_path / "a.db", LATEST_VERSION)
    with closing(sqlite3.connect(tmp_path / "b.db")) as connection:
        connection.executescript(printed())
    assert schema(tmp_path / "b.db") == migrated
    asm.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/b.db").close()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_printed_for_the_way_down_leads_there(tmp_path: Path, version: int) -> None:
    lower = at(tmp_path / "a.db", version)
    at(tmp_path / "b.db", LATEST_VERSION)
    with closing(sqlite3.connect(tmp_path / "b.db")) as connection:
        connection.executescript(printed("--from", str(LATEST_VERSION), "--to", str(version)))
    assert schema(tmp_path / "b.db") == lower


@pytest.mark.parametrize("migrate", [False, True, 1, 0])
def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path, migrate: Any) -> None:
    path = tmp_path / "a.db"
    at(path, LATEST_VERSION)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO asm_schema_migrations VALUES (?, 'tomorrow', '')", (LATEST_VERSION + 1,))
        connection.execute("ALTER TABLE asm_sessions ADD COLUMN tomorrow TEXT")
    before = schema(path), applied(path)
    with pytest.raises(asm.MigrationRequiredError, match="Upgrade asm-core") as raised:
        SQLModelBackend.open(f"sqlite:///{path}", migrate=migrate)
    assert raised.value.details == {"current": LATEST_VERSION + 1, "required": LATEST_VERSION}
    assert (schema(path), applied(path)) == before


def test_an_older_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    at(tmp_path / "a.db", 1)
    with pytest.raises(asm.MigrationRequiredError, match="Run `asm db upgrade`"):
        asm.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/a.db")
    assert applied(tmp_path / "a.db") == [1]


def test_parts_of_tokens_get_columns_and_lose_them(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    at(path, BEFORE)
    with closing(sqlite3.connect(path)) as connection, connection:
        fill_runs(connection.execute, "?")
        before = connection.execute("SELECT * FROM asm_runs ORDER BY id").fetchall()
    at(path, BEFORE + 1)
    with closing(sqlite3.connect(path)) as connection:
        assert {row[0]: row[1:] for row in connection.execute(PARTS)} == NEW_COLUMNS
    with asm.open_backend("sqlmodel", url=f"sqlite:///{path}", migrate=True) as backend:
        assert backend.query_api.get_usage_summary().cache_read_tokens == 63
        assert backend.session_store.get_run("own total").token_usage == {"input_tokens": 5, "output_tokens": 2}
    at(path, BEFORE)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM asm_runs ORDER BY id").fetchall() == before
