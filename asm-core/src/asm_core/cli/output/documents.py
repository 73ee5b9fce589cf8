"""Output of commands as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from asm_core.cli.output import printing
from asm_core.cli.output.text import json_text

if TYPE_CHECKING:
    from collections.abc import Iterable


def json_document(value: object) -> None:
    """Print a JSON document on one line."""
    printing.escaped_output().write(f"{json_text(value)}\n")


def json_array(values: Iterable[object]) -> None:
    """Print a JSON array as its elements arrive, one element a line."""
    remaining = printing.begun(values)
    sys.stdout.write("[")
    separator = "\n"
    for value in remaining:
        sys.stdout.write(separator + json_text(value))
        separator = ",\n"
    sys.stdout.write("]\n" if separator == "\n" else "\n]\n")
