"""No inherited test can be lost unnoticed: not overridden, not deleted, not renamed."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

OPEN = frozenset({"open_backend", "callers_transaction", "known_gaps"})
"""What a subclass may define; everything else that a contract has stays as it is."""


def check_complete(cls: type, contracts: Collection[type]) -> None:
    """Refuse a class in which something that one of its contracts defines is hidden.

    Raises:
        TypeError: a test, a fixture or a helper is hidden, by the class itself or by another of its bases.
    """
    for contract in contracts:
        for name, promised in vars(contract).items():
            if name in OPEN or (name.startswith("__") and name.endswith("__")):
                continue
            if inspect.getattr_static(cls, name, None) is not promised:
                raise TypeError(_hidden(cls, name, contract))


def check_gaps(cls: type, gaps: object) -> None:
    """Refuse known gaps that name no test, or give no reason.

    Raises:
        TypeError: they are no dict of reasons by the names of inherited tests.
    """
    if not isinstance(gaps, Mapping):
        message = f"{cls.__name__}.known_gaps must be a dict of reasons by the names of tests, not {gaps!r}."
        raise TypeError(message)
    tests = [name for name in dir(cls) if name.startswith("test")]
    for name, reason in gaps.items():
        if name not in tests:
            close = get_close_matches(str(name), tests, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            message = f"{cls.__name__}.known_gaps names {name!r}, and there is no such test.{hint}"
            raise TypeError(message)
        if not isinstance(reason, str) or not reason.strip():
            message = f"{cls.__name__}.known_gaps must say why {name} fails, and says {reason!r}."
            raise TypeError(message)


def _hidden(cls: type, name: str, contract: type) -> str:
    culprit: Any = next(base for base in cls.__mro__ if name in vars(base))
    message = (
        f"{contract.__name__}.{name} is overridden or removed in {culprit.__name__}. A contract is passed as a whole: "
        "give what you define there another name"
    )
    if not name.startswith("test"):
        return f"{message}."
    return f'{message}, or, where {cls.__name__} cannot pass the test, say so: known_gaps = {{"{name}": "why"}}.'
