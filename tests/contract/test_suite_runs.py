"""The suite as its users run it: gaps, skips, messages, the plugin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from processes import LIMIT

pytest_plugins = ["pytester"]

LISTS = "test_an_empty_store_lists_no_sessions"
OFFSETS = "test_an_offset_skips_the_newest"
QUIET = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--strict-markers", "-W", "error")
README = Path(__file__).parents[2] / "asm-contract-tests" / "README.md"
SOUND = """
import pytest
from asm_contract_tests import Contract, HandlesContract, SessionStoreContract, TransactionsContract
from asm_core.memory import MemoryBackend, State

class Opens:
    @pytest.fixture
    def open_backend(self):
        state = State()
        return lambda: MemoryBackend(state)
"""
BROKEN = """
class BrokenStore:
    def list_sessions(self, **filters):
        return ["a session that nobody stored"]

class Broken(MemoryBackend):
    def __init__(self, state):
        super().__init__(state)
        self.session_store.list_sessions = BrokenStore().list_sessions

class BreaksLists:
    @pytest.fixture
    def open_backend(self):
        state = State()
        return lambda: Broken(state)
"""


def run(pytester: pytest.Pytester, body: str, *args: str) -> pytest.RunResult:
    pytester.makepyfile(SOUND + BROKEN + body)
    return pytester.runpytest_inprocess(*QUIET, *args)


def test_a_known_gap_is_expected_to_fail(pytester: pytest.Pytester) -> None:
    body = f"""
class TestAcme(BreaksLists, SessionStoreContract):
    known_gaps = {{"{LISTS}": "it lists ghosts"}}
"""
    result = run(pytester, body, "-k", LISTS, "-rx")
    assert result.parseoutcomes()["xfailed"] == 1
    result.stdout.fnmatch_lines(["XFAIL*known gap: it lists ghosts*"])


def test_a_gap_that_is_closed_fails(pytester: pytest.Pytester) -> None:
    body = f"""
class TestAcme(Opens, SessionStoreContract):
    known_gaps = {{"{LISTS}": "closed long ago"}}
"""
    result = run(pytester, body, "-k", LISTS)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*XPASS(strict)*known gap: closed long ago*"])


def test_a_gap_covers_each_parameter_of_its_test(pytester: pytest.Pytester) -> None:
    body = f"""
class TestAcme(BreaksLists, SessionStoreContract):
    known_gaps = {{"{OFFSETS}": "it ignores the offset"}}
"""
    outcome = run(pytester, body, "-k", OFFSETS).parseoutcomes()
    assert (outcome["xfailed"], outcome.get("failed", 0)) == (6, 0)


def test_gaps_of_a_class_that_is_no_contract_are_its_own_affair(pytester: pytest.Pytester) -> None:
    body = """
class TestElse:
    known_gaps = {"test_it": "means something else here"}
    def test_it(self):
        pass
"""
    run(pytester, body).assert_outcomes(passed=1)


def test_a_failure_shows_what_was_compared(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SOUND + BROKEN + "class TestAcme(BreaksLists, SessionStoreContract): pass")
    result = pytester.runpytest_subprocess(*QUIET, "-k", LISTS)
    result.stdout.fnmatch_lines(["E*Left contains one more item: 'a session that nobody stored'"])


def test_a_capability_that_is_not_declared_is_skipped_visibly(pytester: pytest.Pytester) -> None:
    body = """
class Unbound(MemoryBackend):
    capabilities = {"transactions"}

class TestAcme(TransactionsContract):
    @pytest.fixture
    def open_backend(self):
        return lambda: Unbound()
"""
    result = run(pytester, body, "-k", "callers", "-rs")
    assert result.parseoutcomes()["skipped"] == 6
    result.stdout.fnmatch_lines(["SKIPPED*memory does not declare the capability bind"])


def test_a_declared_capability_is_not_skipped(pytester: pytest.Pytester) -> None:
    body = "class TestAcme(Opens, TransactionsContract): pass"
    assert run(pytester, body, "-k", "empty_transaction").parseoutcomes()["passed"] == 1


def test_a_backend_that_declares_bind_has_a_fixture_for_it(pytester: pytest.Pytester) -> None:
    body = """
class TestAcme(TransactionsContract):
    @pytest.fixture
    def open_backend(self):
        return lambda: MemoryBackend()
"""
    result = run(pytester, body, "-k", "commit_with_the_callers")
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines(["*TestAcme declares bind, so it needs a fixture callers_transaction.*"])


def test_a_missing_fixture_is_reported(pytester: pytest.Pytester) -> None:
    result = run(pytester, "class TestAcme(SessionStoreContract): pass", "-k", LISTS)
    result.stdout.fnmatch_lines(["*TestAcme needs a fixture open_backend*"])


def test_a_factory_must_open_a_handle_each_time(pytester: pytest.Pytester) -> None:
    body = """
class TestAcme(HandlesContract):
    @pytest.fixture
    def open_backend(self):
        backend = MemoryBackend()
        return lambda: backend
"""
    result = run(pytester, body, "-k", "share_the_counter")
    result.stdout.fnmatch_lines(["*open_backend must open a new handle at each call*"])


def test_the_plugin_registers_its_markers_silently(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_inprocess("-q", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.requires(capability): *", "@pytest.mark.guarantee(name): *"])
    quiet = pytester.runpytest_inprocess(*QUIET)
    assert "contract" not in quiet.stdout.str().replace("asm-contract-tests", "")


@pytest.mark.parametrize(("args", "number"), [((), 1), (("--soak", "20"), 20)])
def test_a_test_may_ask_how_long_to_go_on(pytester: pytest.Pytester, args: tuple[str, ...], number: int) -> None:
    pytester.makepyfile(f"def test_it(soak): assert soak == {number}")
    pytester.runpytest_inprocess(*QUIET, *args).assert_outcomes(passed=1)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "long"])
def test_a_senseless_soak_is_a_usage_error(pytester: pytest.Pytester, value: str) -> None:
    result = pytester.runpytest_subprocess(*QUIET, f"--soak={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*argument --soak: it must be a whole number from 1 on, not '{value}'"])


def test_the_plugin_imports_nothing_of_core() -> None:
    code = "import sys, asm_contract_tests.plugin; print({'asm_core', 'hypothesis', 'msgspec'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT)
    assert found.stdout.strip() == "set()"


def test_the_readme_is_true(pytester: pytest.Pytester) -> None:
    blocks = README.read_text().split("```python\n")[1:]
    example = "\n".join(block.partition("```")[0] for block in blocks)
    pytester.makepyfile(
        acme="from asm_core.memory import MemoryBackend\n\nSTORES = {}\n\ndef AcmeBackend(url):\n    "
        "return MemoryBackend(STORES.setdefault(url, MemoryBackend()._state))\n"
    )
    pytester.makepyfile(test_acme=example)
    result = pytester.runpytest_subprocess(*QUIET, "-k", "listed or paging or retention")
    outcome = result.parseoutcomes()
    assert outcome["passed"] > 20
    assert not {"failed", "errors"} & set(outcome)
