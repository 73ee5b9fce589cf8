"""The directory of artifacts passes the contract of artifact stores; each faulty store fails the test meant for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faulty_artifact_stores
import pytest

from asm_contract_tests import ArtifactStoreContract, OpenArtifactStore
from asm_core import DirectoryArtifactStore

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

INNER = """
import pytest
import faulty_artifact_stores
from asm_contract_tests.rules import ArtifactStoreContract

class TestStore(ArtifactStoreContract):
    @pytest.fixture
    def open_artifact_store(self):
        blobs = {{}}
        return lambda: faulty_artifact_stores.{kind}(blobs)
"""


class TestDirectory(ArtifactStoreContract):
    @pytest.fixture
    def open_artifact_store(self, tmp_path: Path) -> OpenArtifactStore:
        return lambda: DirectoryArtifactStore(tmp_path / "blobs")


def outcome(pytester: pytest.Pytester, kind: str, *tests: str) -> set[str]:
    path = pytester.makepyfile(INNER.format(kind=kind))
    nodes = [f"{path}::TestStore::{test}" for test in tests] or [str(path)]
    run = pytester.inline_run("-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", *nodes)
    return {one.outcome for one in run.getreports("pytest_runtest_logreport") if one.when == "call"}


def test_a_sound_store_passes(pytester: pytest.Pytester) -> None:
    assert outcome(pytester, "Sound") == {"passed"}


@pytest.mark.parametrize("kind", faulty_artifact_stores.FAULTY, ids=lambda kind: kind.__name__)
def test_a_faulty_store_is_caught(pytester: pytest.Pytester, kind: type[faulty_artifact_stores.Sound]) -> None:
    assert "failed" in outcome(pytester, kind.__name__, kind.caught_by)


def test_every_rule_has_a_fault() -> None:
    rules = {name for name in dir(ArtifactStoreContract) if name.startswith("test")}
    assert {kind.caught_by for kind in faulty_artifact_stores.FAULTY} == rules
