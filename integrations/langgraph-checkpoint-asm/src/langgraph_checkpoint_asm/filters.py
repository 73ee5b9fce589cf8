"""Filters of searches, with the comparisons of LangGraph's stores."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

from asm_core import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EXACT: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"$eq": operator.eq, "$ne": operator.ne}
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def passes(value: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    """Return whether the value of an item has all fields of a filter.

    Raises:
        ValidationError: the filter has an unknown operator.
    """
    if wanted:
        for key, field in wanted.items():  # without a generator: called for each item of a search
            if not _equals(value.get(key), field):
                return False
    return True


def _equals(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        if any(key.startswith("$") for key in wanted):
            return all(_compare(value, name, operand) for name, operand in wanted.items())
        return isinstance(value, dict) and all(_equals(value.get(key), field) for key, field in wanted.items())
    if isinstance(wanted, list | tuple):
        return isinstance(value, list | tuple) and len(value) == len(wanted) and all(map(_equals, value, wanted))
    return bool(value == wanted)


def _compare(value: Any, name: str, operand: Any) -> bool:
    if name in _EXACT:
        return _EXACT[name](value, operand)
    if name not in _ORDER:
        message = f"A filter has no operator {name!r}. There are {', '.join((*_EXACT, *_ORDER))}."
        raise ValidationError(message)
    try:
        return _ORDER[name](float(value), float(operand))
    except (TypeError, ValueError):  # what is no number is neither less nor greater
        return False
