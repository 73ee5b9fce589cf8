"""Without `Tracing` nothing of OpenTelemetry is loaded, and without the extra its absence is explained."""

from __future__ import annotations

import subprocess
import sys

from processes import LIMIT

LOADED = "assert not [name for name in sys.modules if name.partition('.')[0] == 'opentelemetry']"
RUN = """
import sys
import asm_core as asm
from asm_core.testing import FakeProvider, FakeTurn
asm.Tracing
with asm.open_backend("memory") as backend:
    provider = FakeProvider([FakeTurn(tool_calls=[("now", {})]), "Hi!"], tools={"now": lambda: "now"})
    asm.SessionManager(backend.session_store, provider).run_once("?")
"""
MISSING = """
import sys
import asm_core as asm
sys.modules["opentelemetry"] = None
try:
    asm.Tracing()
except asm.DependencyNotAvailableError as error:
    assert "pip install 'asm-core[otel]'" in error.message, error
else:
    raise AssertionError
"""


def test_a_run_without_tracing_loads_nothing() -> None:
    subprocess.run([sys.executable, "-c", RUN + LOADED], timeout=LIMIT, check=True)


def test_a_model_without_tracing_loads_nothing() -> None:
    code = "import sys, asm_core.providing, asm_core.aio, asm_core.cli.program\n" + LOADED
    subprocess.run([sys.executable, "-c", code], timeout=LIMIT, check=True)


def test_a_missing_extra_is_named() -> None:
    subprocess.run([sys.executable, "-c", MISSING], timeout=LIMIT, check=True)
