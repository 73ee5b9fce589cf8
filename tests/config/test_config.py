"""Which store is opened: arguments before the environment before files."""

import os
from pathlib import Path
from typing import Any

import pytest

import asm_core as asm
from asm_core import ValidationError, resolve_store
from asm_core.plugins import registry


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("ASM_BACKEND", "ASM_URL", "ASM_READ_URL", "ASM_STORE", "ASM_CONFIG"):
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


def test_a_file_without_a_backend_applies_to_any() -> None:
    write('url = "here"\nreaders = 2')
    assert resolved("acme") == ("acme", "here", {"readers": 2})


def test_settings_of_one_backend_do_not_apply_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    write('backend = "sqlmodel"\nurl = "here"\nreaders = 2')
    assert resolved("memory") == ("memory", None, {})
    monkeypatch.setenv("ASM_BACKEND", "memory")
    assert resolved() == ("memory", None, {})
    monkeypatch.setenv("ASM_URL", "there")
    assert resolved() == ("memory", "there", {})
    assert resolved("sqlmodel") == ("sqlmodel", "here", {"readers": 2})


def test_a_named_store_of_the_file_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
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


def below(*places: str) -> None:
    """Make a directory below the working directory, and change to it."""
    Path(*places).mkdir(parents=True)
    os.chdir(Path(*places))


@pytest.mark.parametrize("marker", [".git", "home"])
def test_a_file_above_is_found_up_to_the_repository_or_the_home_directory(
    marker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    below(marker if marker == "home" else "repository")
    if marker == ".git":
        Path(marker).mkdir()
    write('[tool.asm]\nurl = "here"', "pyproject.toml")
    below("a", "b")
    assert resolved()[1] == "here"


def test_the_nearest_file_is_used() -> None:
    Path(".git").mkdir()
    write('url = "far"')
    below("a")
    write("[tool.other]", "pyproject.toml")
    write('url = "near"')
    below("b")
    assert resolved()[1] == "near"


def test_nothing_above_the_repository_is_found() -> None:
    write('url = "outside"')
    below("repository")
    Path(".git").write_text("gitdir: elsewhere")
    below("a")
    assert resolved()[1] is None


def test_outside_repository_and_home_nothing_above_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    write('url = "above"')
    below("a")
    assert resolved()[1] is None


def test_a_relative_path_in_a_file_above_is_relative_to_the_file(tmp_path: Path) -> None:
    Path(".git").mkdir()
    write('backend = "sqlmodel"\nurl = "sqlite:///agents 1.db"')
    below("a")
    with asm.open_backend(migrate=True):
        assert (tmp_path / "agents 1.db").exists()


def test_asm_store_names_a_store_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('url = "main"\n[stores.one]\nurl = "one"\n[stores.two]\nurl = "two"')
    monkeypatch.setenv("ASM_STORE", "one")
    assert resolved()[1] == "one"
    assert resolved(store="two")[1] == "two"
    monkeypatch.setenv("ASM_URL", "environment")
    assert resolved()[1] == "environment"


def test_a_replica_belongs_to_the_url_beside_it_or_below(monkeypatch: pytest.MonkeyPatch) -> None:
    write('url = "main"\nread_url = "replica"\nreaders = 2\n[stores.one]\nurl = "one"')
    assert resolve_store().options == {"read_url": "replica", "readers": 2}
    assert resolve_store(url="other").options == {"readers": 2}
    assert resolve_store(store="one").options == {}
    monkeypatch.setenv("ASM_READ_URL", "of the environment")
    assert resolve_store().options == {"read_url": "of the environment", "readers": 2}
    assert resolve_store(options={"read_url": "given"}).options == {"read_url": "given", "readers": 2}
    assert resolve_store(url="other").options == {"readers": 2}
    assert resolve_store(store="one").options == {}
    monkeypatch.setenv("ASM_URL", "of the environment")
    assert resolve_store().options == {"read_url": "of the environment", "readers": 2}
    monkeypatch.delenv("ASM_READ_URL")
    assert resolve_store().options == {"readers": 2}
    assert resolve_store("memory").options == {}


def test_an_unknown_asm_store_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASM_STORE", "nowhere")
    with pytest.raises(ValidationError, match=r"No store is configured as \[stores\.nowhere\]"):
        resolve_store()


def test_without_a_name_it_is_the_only_durable_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = [offer for offer in registry.BACKENDS.offers() if offer.name in {"memory", "pony"}]
    monkeypatch.setattr("asm_core.plugins.loading.find_offers", lambda _group: installed)
    assert resolved()[0] == "pony"
