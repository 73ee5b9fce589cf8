"""``asm state``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from test_hostile_text import STYLES, terminal

from asm_core import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes import Complete
    from typer.testing import Result

    from asm_core.ports import Backend

__all__ = ["terminal"]

VALUE = {"theme": "dark", "sizes": [1, 2.5, None]}


@pytest.fixture
def stored(backend: Backend) -> Backend:
    """Store records in three namespaces."""
    for namespace, key in (("app:a", "one"), ("app:a", "other"), ("app:a", "two"), ("app:b", "x"), ("user:ann:", "y")):
        backend.state_store.put(namespace, key, VALUE)
    backend.state_store.put("app:a", "old", 1, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    backend.state_store.put("gone", "old", 1, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    return backend


@pytest.mark.usefixtures("stored")
def test_namespaces_are_listed_by_name(asm: Callable[..., Result]) -> None:
    assert asm("state", "namespaces").stdout == "app:a\napp:b\nuser:ann:\n"
    assert asm("state", "namespaces", "app:", "--json").stdout == '["app:a",\n"app:b"\n]\n'.replace("[", "[\n")
    assert asm("state", "namespaces", "-n", "1").stdout == "app:a\n"
    assert asm("state", "namespaces", "-n", "1", "--all").stdout.count("\n") == 3
    missing = asm("state", "namespaces", "z")
    assert (missing.exit_code, missing.stdout) == (0, "")
    assert missing.stderr == "There are no records of state in namespaces 'z'….\n"


@pytest.mark.usefixtures("stored")
def test_records_are_listed_by_key_without_expired_ones(asm: Callable[..., Result]) -> None:
    head, *rows = asm("state", "list", "app:a").stdout.splitlines()
    assert head.split("\t") == ["key", "revision", "updated", "expires", "value"]
    cells = [row.split("\t") for row in rows]
    assert [(key, revision, expires) for key, revision, _, expires, _ in cells] == [
        ("one", "1", "-"),
        ("other", "1", "-"),
        ("two", "1", "-"),
    ]
    assert json.loads(cells[0][4]) == VALUE
    begun = asm("state", "list", "app:a", "o", "--json").stdout
    assert [record["key"] for record in json.loads(begun)] == ["one", "other"]
    assert json.loads(asm("state", "list", "app:a", "-n", "1", "--json").stdout)[0]["value"] == VALUE
    assert json.loads(asm("state", "list", "unknown", "--json").stdout) == []


def test_a_record_is_shown_as_json(asm: Callable[..., Result], stored: Backend) -> None:
    assert json.loads(asm("state", "show", "app:a", "one").stdout) == VALUE
    shown = json.loads(asm("state", "show", "app:a", "one", "--json").stdout)
    record = stored.state_store.get("app:a", "one")
    assert record is not None
    assert shown == record.to_dict()
    missing = asm("state", "show", "app:a", "old")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr == "error: There is no record 'old' in 'app:a'. `asm state list` lists its records.\n"


def test_a_record_is_deleted_after_a_confirmation(asm: Callable[..., Result], stored: Backend) -> None:
    asked = asm("state", "delete", "app:a", "one", given="n\n")
    assert asked.exit_code == 1
    assert asked.stderr.startswith("Remove the record 'one' of 'app:a', revision 1, permanently? [y/N]:")
    assert stored.state_store.get("app:a", "one") is not None
    assert (
        asm("state", "delete", "app:a", "one", "--yes").stdout == "Removed the record 'one' of 'app:a' permanently.\n"
    )
    assert stored.state_store.get("app:a", "one") is None
    assert asm("state", "delete", "app:a", "one", "--yes").exit_code == 1


def test_a_record_that_changed_after_the_question_stays(
    asm: Callable[..., Result], stored: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_arguments: Any, **_options: Any) -> bool:
        stored.state_store.put("app:a", "one", "new")
        return True

    monkeypatch.setattr("typer.confirm", answer)
    assert asm("state", "delete", "app:a", "one").exit_code == 1
    record = stored.state_store.get("app:a", "one")
    assert record is not None
    assert (record.value, record.revision) == ("new", 2)


@pytest.mark.parametrize("arguments", [("list",), ("show", "a"), ("delete", "a"), ("list", "a", "-n", "0"), ("x",)])
def test_wrong_arguments_have_status_2(asm: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    result = asm("state", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_shows_tables_and_indented_values(
    terminal: Callable[[list[str]], str], monkeypatch: pytest.MonkeyPatch, stored: Backend, width: int
) -> None:
    stored.state_store.put("app:a", "long" * 20, "word " * 500)
    monkeypatch.setenv("COLUMNS", str(width))
    listed = STYLES.sub("", terminal(["state", "list", "app:a"]))
    assert "other" in listed
    assert max(map(len, listed.splitlines())) <= width
    shown = STYLES.sub("", terminal(["state", "show", "app:a", "one"])).replace("\r", "")
    assert shown.endswith('\n{\n  "theme": "dark",\n  "sizes": [\n    1,\n    2.5,\n    null\n  ]\n}\n')
    assert "There are no records in 'nothing'." in terminal(["state", "list", "nothing"])


def test_a_pipe_gets_the_records_of_a_database(process: Complete, environment: dict[str, str], tmp_path: Path) -> None:
    with open_backend("peewee", url=environment["ASM_URL"], migrate=True) as backend:
        for number in range(1200):
            backend.state_store.put("n", f"{number:04}", number)
    assert tmp_path.exists()
    lines = process("state", "list", "n", "--all").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines[1:]] == [f"{number:04}" for number in range(1200)]
    assert process("state", "delete", "n", "0000", "--yes").returncode == 0
    assert process("state", "show", "n", "0000").returncode == 1
    assert process("state", "show", "n", "0001").stdout == "1\n"
