"""Reading of TOML files that are named on the command line."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from asm_core.config.files import read_toml as _read

if TYPE_CHECKING:
    from pathlib import Path


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file, with fractions as `Decimal`.

    Raises:
        ValidationError: the file cannot be read, or is not TOML.
    """
    return _read(path, parse_float=Decimal)
