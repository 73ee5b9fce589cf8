"""Descriptions in docstrings."""

from __future__ import annotations

import inspect
import re
from typing import Final

_SECTION: Final = re.compile(r"(Args|Arguments|Parameters|Returns|Return|Yields|Raises|Examples?|Notes?):\s*$")
_ARGUMENTS: Final = ("Args", "Arguments", "Parameters")
_ITEM: Final = re.compile(r"(\s+)\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")
_FIELD: Final = re.compile(r"\s*:(\w+)\s*(?:[^:]*?(\w+))?:\s*(.*)$")


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """Return the description in a docstring, and those of the parameters.

    Sections in the style of Google (``Args:``) and fields (``:param name:``) are read; other sections are dropped.

    >>> read_docstring("Return the weather." + chr(10) + ":param city: its name")
    ('Return the weather.', {'city': 'its name'})
    """
    description: list[str] = []
    parameters: dict[str, str] = {}
    section, current, indent = "", "", 0
    for line in inspect.cleandoc(text or "").splitlines():
        if heading := _SECTION.match(line):
            section, current, indent = heading[1], "", 0
        elif field := _FIELD.match(line):
            section, current = "field", field[2] if field[1] == "param" and field[2] else ""
            if current:
                parameters[current] = field[3]
        elif not section:
            description.append(line)
        elif section in _ARGUMENTS and (item := _ITEM.match(line)) and len(item[1]) <= (indent or len(item[1])):
            current, indent = item[2], len(item[1])
            parameters[current] = item[3]
        elif current and line.strip():
            parameters[current] = f"{parameters[current]} {line.strip()}".strip()
    return "\n".join(description).strip(), parameters
