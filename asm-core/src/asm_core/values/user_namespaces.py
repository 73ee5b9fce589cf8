"""Namespaces of the records of state that belong to a user."""

from __future__ import annotations

from typing import Final

from asm_core.values.composed_ids import composed_id
from asm_core.values.digests import sha256
from asm_core.values.ids import check_name

_LONGEST: Final = 400
"""The greatest number of bytes of the part of a user."""


def user_namespace(user_id: str, *names: str) -> str:
    """Return the namespace of a user's records for these names; `Maintenance.erase_user` removes its records.

    Other users or names have another namespace.

    >>> user_namespace("ada", "preferences")
    'user:ada:preferences'

    Raises:
        ValidationError: `user_id` is not a valid id.
    """
    return composed_id(user_prefix(user_id)[:-1], *(names or ("",)))


def user_prefix(user_id: str) -> str:
    """Return how all namespaces of a user, and of no other, begin.

    >>> user_prefix("a:b")
    'user:a%3Ab:'
    """
    prefix = composed_id("user", check_name("user_id", user_id), "")
    if len(prefix.encode()) <= _LONGEST and not prefix.startswith("user:#"):
        return prefix
    return f"user:#{sha256(user_id.encode()).hexdigest()}:"
