"""What must be true of every test in the suite."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import asm_contract_tests
from asm_contract_tests import ArtifactStoreContract, BackendContract
from asm_core import (
    ArtifactRegistry,
    ArtifactStore,
    Backend,
    Capability,
    Maintenance,
    QueryAPI,
    SessionStore,
    StateStore,
)

TESTS = {
    name: test
    for contract in (BackendContract, ArtifactStoreContract)
    for name, test in inspect.getmembers(contract)
    if name.startswith("test")
}
SOURCES = sorted(Path(asm_contract_tests.__file__).parent.rglob("*.py"))
RULES = "\n".join(path.read_text() for path in SOURCES)
PORTS = (SessionStore, QueryAPI, Maintenance, ArtifactRegistry, StateStore, ArtifactStore, Backend)
ELSEWHERE = {"G11"}
"""Several backends on one database: no suite of one backend can prove it."""


def marks(test: Any, name: str) -> list[str]:
    return [mark.args[0] for mark in getattr(test, "pytestmark", []) if mark.name == name]


@pytest.mark.parametrize("name", asm_contract_tests.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(asm_contract_tests, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'AcmeContract'"):
        asm_contract_tests.AcmeContract  # noqa: B018


def test_the_whole_contract_has_every_other() -> None:
    others = {"ArtifactStoreContract", "OpenArtifactStore", "OpenBackend"}  # an artifact store is no part of a backend
    contracts = [getattr(asm_contract_tests, name) for name in asm_contract_tests.__all__ if name not in others]
    assert all(issubclass(BackendContract, contract) for contract in contracts)


@pytest.mark.parametrize("name", TESTS)
def test_every_test_has_advice(name: str) -> None:
    assert (TESTS[name].__doc__ or "").startswith(("Check ", "Look for "))


def test_every_guarantee_has_tests() -> None:
    proved = {guarantee for test in TESTS.values() for guarantee in marks(test, "guarantee")}
    assert proved == {f"G{number}" for number in range(1, 18)} - ELSEWHERE


def test_every_requirement_is_a_capability() -> None:
    required = {capability for test in TESTS.values() for capability in marks(test, "requires")}
    assert required == set(Capability)


def public_arguments() -> list[tuple[str, str]]:
    found = []
    for port in PORTS:
        for name, method in inspect.getmembers(port, inspect.isfunction):
            if not name.startswith("_"):
                keywords = [
                    one.name for one in inspect.signature(method).parameters.values() if one.kind is one.KEYWORD_ONLY
                ]
                found += [(name, argument) for argument in ["", *keywords]]
    return found


@pytest.mark.parametrize(("method", "argument"), public_arguments())
def test_every_public_method_and_argument_is_tested(method: str, argument: str) -> None:
    assert re.search(rf"\b{method}\b", RULES)
    assert re.search(rf"""\b{argument}=|"{argument}":""", RULES) or not argument


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.name) for path in SOURCES])
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 250


def test_no_test_sleeps() -> None:
    assert not re.search(r"\bsleep\((?!0\))", RULES)  # sleep(0) lets other tasks run
