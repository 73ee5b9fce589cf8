"""Texts that begin with a prefix, as a range."""

from __future__ import annotations

import sys
from typing import Final

_SURROGATES: Final = range(0xD800, 0xE000)


def end_of_prefix(prefix: str) -> str | None:
    """Return the least text after all that begin with `prefix`, by code points; None if there is none.

    >>> end_of_prefix("user:")
    'user;'
    """
    while prefix:
        code = ord(prefix[-1]) + 1
        prefix = prefix[:-1]
        if code <= sys.maxunicode:
            # UTF-8 has no surrogates.
            return prefix + chr(_SURROGATES.stop if code in _SURROGATES else code)
    return None
