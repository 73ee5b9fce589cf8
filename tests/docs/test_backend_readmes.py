"""The code of a backend's README runs on PostgreSQL too."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from blocks import ROOT, blocks_of
from processes import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

CONNECTIONS = {
    "sqlmodel": ('create_engine("sqlite:///application.db")', "create_engine(URL.replace('://', '+psycopg://', 1))"),
    "peewee": (
        'SqliteDatabase("application.db")',
        "__import__('peewee').PostgresqlDatabase(URL, prefer_psycopg3=True)",
    ),
    "pony": (
        'Database("sqlite", str(Path("application.db").absolute()), create_db=True)',
        "Database('postgres', URL)",
    ),
}
"""How an application connects: as the page has it, and to the test's own PostgreSQL."""


@pytest.fixture
def url(postgresql_url: str, postgresql_database: psycopg.Connection) -> Iterator[str]:
    yield postgresql_url
    postgresql_database.execute("DROP TABLE IF EXISTS ticket")  # of the application


@pytest.mark.parametrize("name", CONNECTIONS)
def test_the_code_of_a_page_runs_on_postgresql(name: str, url: str, tmp_path: Path) -> None:
    on_sqlite, on_postgresql = CONNECTIONS[name]
    page = ROOT / f"asm-backend-{name}" / "README.md"
    code = "".join(block.text for block in blocks_of(page) if block.language == "python")
    assert code.count(on_sqlite) == 1
    # In a process of its own: an application defines its tables once.
    (tmp_path / "page.py").write_text(f"URL = {url!r}\n{code.replace(on_sqlite, on_postgresql)}", "utf-8")
    subprocess.run(
        [sys.executable, tmp_path / "page.py"],
        cwd=tmp_path,
        env=os.environ | {"PGTZ": "UTC"},
        check=True,
        timeout=LIMIT,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["page.py"]
