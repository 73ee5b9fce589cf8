"""The suite is itself tested: each deliberately faulty backend fails the test that is meant for it."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

import faulty_activity
import faulty_copies
import faulty_deletions
import faulty_erasures
import faulty_followers
import faulty_forks
import faulty_inputs
import faulty_keepers
import faulty_processes
import faulty_queries
import faulty_revisions
import faulty_states
import faulty_stores
import faulty_tasks
import faulty_totals
import faulty_transactions
import faulty_types
import pytest
from fault_registry import FAULTS

from asm_contract_tests import BackendContract

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["pytester"]

PARTS = (
    "ByContext",
    "ByThread",
    "Cautious",
    "ComparesBeforeItLocks",
    "CountsBeforeItStores",
    "DeafWatcher",
    "Draft",
    "ImpatientLock",
    "OfOneTask",
    "RemovesInParts",
    "TurnsOfTheParent",
)
"""Classes that faulty adapters are made of."""
ADAPTERS = (
    faulty_states,
    faulty_stores,
    faulty_followers,
    faulty_queries,
    faulty_totals,
    faulty_keepers,
    faulty_transactions,
    faulty_tasks,
    faulty_processes,
    faulty_forks,
    faulty_inputs,
    faulty_deletions,
    faulty_types,
    faulty_revisions,
    faulty_erasures,
    faulty_activity,
    faulty_copies,
)
INNER = """
import pytest
from asm_contract_tests.rules import BackendContract
from asm_core.memory import MemoryBackend
from fault_registry import faulty_backend, sound_backend

Contract = next(base for base in BackendContract.__mro__ if {test!r} in vars(base))

class Opens:
    @pytest.fixture
    def callers_transaction(self, backend):
        return lambda: MemoryBackend.transaction(backend)

class TestSound(Opens, Contract):
    @pytest.fixture
    def open_backend(self, tmp_path):
        return sound_backend({fault!r}, tmp_path / "store")

@pytest.mark.timeout(30)  # some faults make a test wait or turn pages without end
class TestFaulty(Opens, Contract):
    @pytest.fixture
    def open_backend(self, tmp_path):
        return faulty_backend({fault!r}, tmp_path / "store")
"""


def outcomes(pytester: pytest.Pytester, fault: str, test: str) -> dict[str, list[str]]:
    """Run one test on the sound backend and on a faulty one; return the outcomes of each."""
    path = pytester.makepyfile(INNER.format(fault=fault, test=test))
    nodes = [f"{path}::{kind}::{test}" for kind in ("TestSound", "TestFaulty")]
    run = pytester.inline_run("-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", "--strict-markers", *nodes)
    found: dict[str, list[str]] = {"TestSound": [], "TestFaulty": []}
    for report in run.getreports("pytest_runtest_logreport"):
        if report.when == "call" or report.failed:
            found[report.nodeid.split("::")[1]].append(f"{report.when} {report.outcome}")
    return found


@pytest.fixture(autouse=True)
def _no_garbage() -> Iterator[None]:
    """Collect what a faulty backend leaves open, such as files, before another test does."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a fault makes hang need not hang for long: a test that gives up has caught it too.
    monkeypatch.setattr("asm_contract_tests.together.PATIENCE", 20.0)
    monkeypatch.setattr("asm_contract_tests.rules.session_store.waiting.PATIENCE", 1.0)
    monkeypatch.setattr("asm_contract_tests.rules.session_store.setbacks.PATIENCE", 5.0)
    monkeypatch.setattr("asm_contract_tests.rules.backend.tasks.PATIENCE", 2.0)
    monkeypatch.setattr("asm_contract_tests.rules.machine.SHRINKING_SECONDS", 2)


@pytest.mark.parametrize(("fault", "test"), FAULTS, ids=[f"{fault}-{test[5:]}" for fault, test in FAULTS])
def test_a_fault_is_caught_by_the_test_meant_for_it(pytester: pytest.Pytester, fault: str, test: str) -> None:
    found = outcomes(pytester, fault, test)
    assert "call passed" in found["TestSound"]
    assert set(found["TestSound"]) <= {"call passed", "call skipped"}
    assert "call failed" in found["TestFaulty"]


@pytest.mark.parametrize(
    "fault",
    [
        "AfterOffByOne",
        "HalfABatch",
        "PagesSkipANamespace",
        "PutsCompareNothing",
        "TagsMatchedByAny",
        "TiesLostBetweenPages",
        "UpsertForgetsAField",
    ],
)
def test_a_fault_is_found_by_comparing_with_memory(pytester: pytest.Pytester, fault: str) -> None:
    found = outcomes(pytester, fault, "test_a_backend_answers_as_the_one_in_memory")
    assert found == {"TestSound": ["call passed"], "TestFaulty": ["call failed"]}


def test_every_faulty_adapter_names_a_test_of_the_suite() -> None:
    adapters = {kind for module in ADAPTERS for kind in vars(module).values() if isinstance(kind, type)}
    named = {kind.__name__ for kind in adapters if kind.__module__.startswith("faulty_")}
    assert named == {fault for fault, _ in FAULTS} | set(PARTS)
    assert all(hasattr(BackendContract, test) for _, test in FAULTS)
