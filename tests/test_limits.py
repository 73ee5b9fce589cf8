"""No test waits without a limit: one that hangs fails, and shows where."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("asm-contract-tests/src/**/*.py")]
PROGRAMS = {"run", "call", "check_call", "check_output"}
OF_A_PROCESS = {"process", "child", "runner", "forked", "writer", "first", "second", "self.process"}
"""Names that tests give to a `processes.Process`, which has a limit of its own."""


def waits_without_limit(source: str) -> list[str]:
    found = []
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    awaited = [argument for call in calls if ast.unparse(call.func) == "asyncio.wait_for" for argument in call.args]
    for node in calls:
        if not isinstance(node.func, ast.Attribute) or node in awaited:
            continue
        owner, name = ast.unparse(node.func.value), node.func.attr
        limited = any(keyword.arg == "timeout" for keyword in node.keywords)
        starts = owner == "subprocess" and (name == "Popen" or (name in PROGRAMS and not limited))
        waits = name in {"wait", "join"} and not node.args and not limited and owner not in OF_A_PROCESS
        if starts or waits:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_wait_has_a_limit(file: Path) -> None:
    assert waits_without_limit(file.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "line", ["thread.join()", "event.wait()", "subprocess.Popen(['true'])", "subprocess.run(['true'], check=True)"]
)
def test_a_wait_without_limit_is_found(line: str) -> None:
    assert waits_without_limit(line) == [line]
