"""A backend whose ORM is not installed raises the error of a missing driver, and is listed as broken."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

import asm_core as asm
from asm_core.cli import main

if TYPE_CHECKING:
    from pathlib import Path

NEEDS = "needs {0}, which is not installed. Install it: pip install asm-backend-{0}"


@pytest.fixture(params=["sqlmodel", "peewee", "pony"])
def missing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make an import of the ORM raise ModuleNotFoundError, as if its distribution had been removed."""
    name: str = request.param
    for module in [module for module in sys.modules if module.startswith(f"asm_backend_{name}.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    return name


def test_opening_the_backend_raises_what_to_install(missing: str) -> None:
    with pytest.raises(asm.DependencyNotAvailableError) as caught:
        asm.open_backend(missing, url="sqlite://")
    assert caught.value.message == f"The backend {missing!r} {NEEDS.format(missing)}"


def test_the_backend_is_listed_as_broken(missing: str) -> None:
    [found] = [info for info in asm.installed_backends() if info.name == missing]
    assert found.status == "broken"
    assert found.error is not None
    assert NEEDS.format(missing) in found.error


def test_its_class_raises_what_to_install(missing: str) -> None:
    package = importlib.import_module(f"asm_backend_{missing}")
    name = next(name for name in package.__all__ if name.endswith("Backend"))
    with pytest.raises(asm.DependencyNotAvailableError) as caught:
        getattr(package, name)
    assert caught.value.message == f"asm_backend_{missing}.{name} {NEEDS.format(missing)}"


def test_the_command_line_names_it(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--backend", missing, "sessions"]) == 1
    assert NEEDS.format(missing) in " ".join(capsys.readouterr().err.split())
