"""Distributions of strangers, installed beside ours: found by name, or told what is wrong with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from distributions import CONTRACT, PLUGINS, write_distribution

import asm_core as asm

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Environment

OPEN = """\
import json, sys
import asm_core as asm

try:
    with asm.open_backend(sys.argv[1]) as backend:
        print(json.dumps({"name": backend.name}))
except asm.AsmError as error:
    print(json.dumps({**error.to_dict(), "cause": repr(error.__cause__)}))
"""


@pytest.fixture(scope="module")
def installed(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment in which all of them are installed."""
    place = tmp_path_factory.mktemp("distributions")
    environment.run("pip", "install", *(str(write_distribution(place, name)) for name in PLUGINS), cwd=place)
    return environment


def opened(environment: Environment, name: str, place: Path) -> Any:
    return json.loads(environment.run("python", "-c", OPEN, name, cwd=place))


@pytest.mark.timeout(300)  # the whole suite
def test_a_strangers_backend_is_found_by_name_and_passes_the_contract(installed: Environment, tmp_path: Path) -> None:
    assert opened(installed, "stranger", tmp_path) == {"name": "stranger"}
    (tmp_path / "test_stranger.py").write_text(CONTRACT, "utf-8")
    report = installed.run("pytest", "-q", "test_stranger.py", cwd=tmp_path)
    assert " passed" in report
    assert " xfailed" not in report


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("torn", "ModuleNotFoundError(\"No module named 'a_module_that_is_missing'\")"),
        ("driverless", "ModuleNotFoundError(\"No module named 'a_driver_that_is_missing'\")"),
        ("hookless", "TypeError('its hook asm_backend() returns None"),
        ("misnamed", "TypeError('its hook asm_backend() returns a BackendSpec named 'somebody_else', not 'misnamed'"),
    ],
)
def test_a_backend_that_cannot_be_loaded_is_broken(
    installed: Environment, tmp_path: Path, name: str, cause: str
) -> None:
    error = opened(installed, name, tmp_path)
    assert error["code"] == "broken_backend"
    assert error["cause"].replace('"its', "'its").startswith(cause)
    assert error["details"] == {"name": name, "distribution": f"asm-backend-{name}", "version": "3.2.1"}
    assert f"asm-backend-{name} 3.2.1" in error["message"]


@pytest.mark.parametrize(("name", "upgrade"), [("future", "asm-core"), ("ancient", "asm-backend-ancient")])
def test_a_backend_for_other_ports_is_incompatible(
    installed: Environment, tmp_path: Path, name: str, upgrade: str
) -> None:
    error = opened(installed, name, tmp_path)
    assert error["code"] == "incompatible_backend"
    assert f"Upgrade {upgrade}." in error["message"]


def test_a_misspelt_name_gets_a_suggestion(installed: Environment, tmp_path: Path) -> None:
    error = opened(installed, "strangr", tmp_path)
    assert error["code"] == "unknown_backend"
    assert "No backend named 'strangr'. Did you mean 'stranger'? Installed: " in error["message"]
    assert {"memory", "sqlmodel", "stranger"} <= set(error["details"]["installed"])


def test_the_list_of_backends_shows_all_of_them_as_what_they_are(installed: Environment, tmp_path: Path) -> None:
    listed = {info["name"]: info for info in json.loads(installed.run("asm", "backends", "--json", cwd=tmp_path))}
    assert {name: info["status"] for name, info in listed.items()} == {
        **{info.name: "ok" for info in asm.installed_backends()},
        "stranger": "ok",
        "driverless": "ok",  # what it lacks, only opening it would tell
        "torn": "broken",
        "hookless": "broken",
        "misnamed": "broken",
        "ancient": "incompatible",
        "future": "incompatible",
    }
    assert listed["stranger"]["distribution"] == "asm-backend-stranger"
    assert listed["stranger"]["databases"] == ["dicts"]
    assert "a_module_that_is_missing" in listed["torn"]["error"]
    assert "broken" in installed.run("asm", "backends", cwd=tmp_path)


def test_an_option_that_a_backend_lacks_is_refused(installed: Environment, tmp_path: Path) -> None:
    (tmp_path / "asm.toml").write_text('backend = "stranger"\ncolor = "green"\n', "utf-8")
    error = opened(installed, "stranger", tmp_path)
    assert error["code"] == "validation_error"
    assert (
        error["message"]
        == "The backend 'stranger' has no option 'color'. Its options: colour. (asm.toml configures this store.)"
    )
