"""The code blocks of a page of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("asm-[bp]*/README.md")), *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^ *```")
_FILE = re.compile(r"^`([\w./-]+)`:$")


class Block(NamedTuple):
    """A code block: its language, what it holds, and the file that the line before it names, if one does."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None

    def __str__(self) -> str:
        """Return where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    blocks: list[Block] = []
    lines = enumerate(page.read_text("utf-8").splitlines(), start=1)
    before = ""
    for number, line in lines:
        if _FENCE.match(line):
            text = []
            for _, inner in lines:
                if _FENCE.match(inner):
                    break
                text.append(inner)
            else:
                message = f"{page}:{number}: the block has no end"
                raise AssertionError(message)
            named = _FILE.match(before)
            content = "\n".join(text) + "\n"
            blocks.append(Block(page, number, line.strip().strip("`"), content, named and named[1]))
        before = line or before
    return blocks


def prose_of(page: Path) -> list[str]:
    """Return the lines of a page that stand in no fenced block."""
    parts = re.split(r"^ *```.*$", page.read_text("utf-8"), flags=re.MULTILINE)
    return "\n".join(parts[::2]).splitlines()
