"""TOML files that are named on the command line."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from asm_core.errors import ValidationError

if TYPE_CHECKING:
    from pathlib import Path


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file says, with fractions as `Decimal`.

    Raises:
        ValidationError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise ValidationError(message) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path} is no TOML: {error}."
        raise ValidationError(message) from None
