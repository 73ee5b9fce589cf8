"""The guard against lost tests: inherited tests cannot be overridden, deleted or renamed."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

OPEN = frozenset({"open_backend", "open_artifact_store", "callers_transaction", "known_gaps"})
"""The attributes that a subclass may define; all others of a contract are protected."""


def check_complete(cls: type, contracts: Collection[type]) -> None:
    """Reject a class that hides an attribute of one of its contracts.

    Raises:
        TypeError: the class or another base hides a test, a fixture or a helper.
    """
    for contract in contracts:
        for name, promised in vars(contract).items():
            if name in OPEN or (name.startswith("__") and name.endswith("__")):
                continue
            if inspect.getattr_static(cls, name, None) is not promised:
                raise TypeError(_hidden(cls, name, contract))


def check_gaps(cls: type, gaps: object) -> None:
    """Reject known gaps with an unknown test or without a reason.

    Raises:
        TypeError: they are not a dict of reasons by the names of inherited tests.
    """
    if not isinstance(gaps, Mapping):
        message = f"{cls.__name__}.known_gaps must be a dict of reasons by the names of tests, not {gaps!r}."
        raise TypeError(message)
    tests = [name for name in dir(cls) if name.startswith("test")]
    for name, reason in gaps.items():
        if name not in tests:
            close = get_close_matches(str(name), tests, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            message = f"{cls.__name__}.known_gaps contains {name!r}, but there is no such test.{hint}"
            raise TypeError(message)
        if not isinstance(reason, str) or not reason.strip():
            message = f"{cls.__name__}.known_gaps must give a reason for {name}, not {reason!r}."
            raise TypeError(message)


def _hidden(cls: type, name: str, contract: type) -> str:
    culprit: Any = next(base for base in cls.__mro__ if name in vars(base))
    message = (
        f"{contract.__name__}.{name} is overridden or removed in {culprit.__name__}. "
        "A contract cannot be passed in part: rename the definition there"
    )
    if not name.startswith("test"):
        return f"{message}."
    return f'{message}, or declare that {cls.__name__} cannot pass the test: known_gaps = {{"{name}": "why"}}.'
