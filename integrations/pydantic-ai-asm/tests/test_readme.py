"""The README's code runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

README = Path(__file__).parents[1] / "README.md"
LIMIT = 60


def test_the_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASM_BACKEND", "sqlmodel")
    text = README.read_text("utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)  # noqa: S102  the project's own text
    asm = [str(Path(sys.executable).with_name("asm"))]
    shown = [
        subprocess.check_output([*asm, *line.split()], text=True, timeout=LIMIT)
        for line in re.findall(r"^\$ asm (.*)$", text, re.MULTILINE)
    ]
    assert "pydantic_ai:1" in shown[0]
    assert "hello" in shown[1]
    assert "success (no tool calls)" in shown[1]
