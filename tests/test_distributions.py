"""All distributions share one version, are typed, carry the licence and declare what they import."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = sorted(path.parent.name for path in ROOT.glob("asm-*/pyproject.toml"))
HOOKS = {"pydantic_core"}
"""Packages that only hooks import, which the same packages call."""
BACKENDS = [name for name in DISTRIBUTIONS if name.startswith("asm-backend-")]


@cache
def project(distribution: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / distribution / "pyproject.toml").read_text("utf-8"))["project"]


def package(distribution: str) -> Path:
    return ROOT / distribution / "src" / distribution.replace("-", "_")


def modules_of(requirements: list[str]) -> set[str]:
    names = {re.split(r"[^\w-]", requirement)[0].lower() for requirement in requirements}
    others = {module for module, owners in packages_distributions().items() if names & {one.lower() for one in owners}}
    return {name.replace("-", "_") for name in names} | others


def imported(source: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(source.read_bytes())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def test_the_distributions_are_found() -> None:
    assert {"asm-core", "asm-contract-tests", "asm-backend-sqlmodel"} <= set(DISTRIBUTIONS)


def test_all_distributions_share_one_version() -> None:
    assert len({project(name)["version"] for name in DISTRIBUTIONS}) == 1


def test_the_changelog_has_a_section_of_the_version() -> None:
    version = project("asm-core")["version"]
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("distribution", [*BACKENDS, "asm-contract-tests"])
def test_depends_on_the_same_minor_version_of_core(distribution: str) -> None:
    major, minor, _ = project("asm-core")["version"].split(".")
    assert f"asm-core>={major}.{minor},<{major}.{int(minor) + 1}" in project(distribution)["dependencies"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_has_an_entry_point_named_after_it(backend: str) -> None:
    name = backend.removeprefix("asm-backend-")
    assert project(backend)["entry-points"]["asm.backends"] == {name: f"{package(backend).name}.plugin"}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_ships_its_types_and_the_licence(distribution: str) -> None:
    assert (package(distribution) / "py.typed").is_file()
    assert (ROOT / distribution / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_declares_what_it_imports(distribution: str) -> None:
    own = package(distribution)
    declared = modules_of(project(distribution)["dependencies"]) | {own.name}
    extras = modules_of(list(chain(*project(distribution).get("optional-dependencies", {}).values())))
    for source in own.rglob("*.py"):
        assert imported(source) <= declared | extras | HOOKS, source
