"""Values that frameworks hand over, and the comparison of what comes back."""

from __future__ import annotations

import math
from typing import Any


def nested(levels: int) -> Any:
    """Return a value of so deep a nesting: lists and dicts in turn."""
    value: Any = "innermost"
    for level in range(levels):
        value = [value] if level % 2 else {"key": value}
    return value


def equal(one: Any, other: Any) -> bool:
    """Compare by value and type, at any depth; NaN equals itself."""
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, list | tuple) and len(left) == len(right):
            pairs += zip(left, right, strict=True)
        elif isinstance(left, dict) and list(left) == list(right):
            pairs += zip(left.values(), right.values(), strict=True)
        elif left != right and not (isinstance(left, float) and math.isnan(left) and math.isnan(right)):
            return False
    return True
