"""Which store is opened: arguments before the environment before files."""

from pathlib import Path
from typing import Any

import pytest

from asm_core import ValidationError, resolve_store


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("ASM_BACKEND", "ASM_URL", "ASM_CONFIG"):
        monkeypatch.delenv(variable, raising=False)


def resolved(*args: Any, **kwargs: Any) -> tuple[str, str | None, dict[str, Any]]:
    store = resolve_store(*args, **kwargs)
    return store.backend, store.url, store.options


def write(text: str, name: str = "asm.toml") -> None:
    Path(name).write_text(text, "utf-8")


def test_without_anything_it_is_sqlmodel_where_it_likes() -> None:
    assert resolved() == ("sqlmodel", None, {})


def test_an_argument_goes_before_the_environment_and_that_before_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('url = "from file"')
    assert resolved()[1] == "from file"
    monkeypatch.setenv("ASM_URL", "from environment")
    assert resolved()[1] == "from environment"
    assert resolved(url="given")[1] == "given"


def test_asm_toml_goes_before_pyproject_toml() -> None:
    write('[tool.asm]\nbackend = "one"', "pyproject.toml")
    assert resolved()[0] == "one"
    write('backend = "other"')
    assert resolved()[0] == "other"


def test_a_given_option_goes_before_that_of_a_file() -> None:
    write("busy_timeout = 1\nreaders = 2")
    assert resolved(options={"readers": 3}) == ("sqlmodel", None, {"busy_timeout": 1, "readers": 3})


def test_what_a_file_says_without_naming_a_backend_is_for_any() -> None:
    write('url = "here"\nreaders = 2')
    assert resolved("acme") == ("acme", "here", {"readers": 2})


def test_what_is_said_of_one_backend_is_not_meant_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    write('backend = "sqlmodel"\nurl = "here"\nreaders = 2')
    assert resolved("memory") == ("memory", None, {})
    monkeypatch.setenv("ASM_BACKEND", "memory")
    assert resolved() == ("memory", None, {})
    monkeypatch.setenv("ASM_URL", "there")
    assert resolved() == ("memory", "there", {})
    assert resolved("sqlmodel") == ("sqlmodel", "here", {"readers": 2})


def test_a_named_store_is_one_of_the_file_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    write('url = "main"\n[stores.analytics]\nbackend = "acme"\nurl = "side"\nreaders = 2')
    monkeypatch.setenv("ASM_URL", "from environment")
    assert resolved(store="analytics") == ("acme", "side", {"readers": 2})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("url = 5", "url in asm.toml must be a string"),
        ('backend = ["a"]', "backend in asm.toml must be a string"),
        ("url = ", "cannot be read as TOML"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    write(text)
    with pytest.raises(ValidationError, match=message):
        resolve_store()


def test_an_unknown_store_is_refused_with_those_that_are_known() -> None:
    write("[stores.one]\n[stores.two]")
    with pytest.raises(ValidationError, match=r"\[stores\.three\].*Configured stores: one, two\."):
        resolve_store(store="three")


def test_an_url_is_not_shown() -> None:
    assert "secret" not in repr(resolve_store(url="postgresql://user:secret@host/db"))
