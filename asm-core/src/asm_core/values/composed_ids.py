"""Ids that are composed of a framework's ids, which are unique in one session or thread only."""

from __future__ import annotations

import re
from typing import Final

from asm_core.values.digests import sha256
from asm_core.values.ids import MAX_NAME_BYTES

_SPECIAL: Final = re.compile("[%:#\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def composed_id(kind: str, *parts: str) -> str:
    """Return the id that `kind` and `parts` determine; other parts have another id.

    Colons join the parts, and what could be mistaken, or no id may contain, is percent-encoded. If that has more than
    512 bytes, the id is a SHA-256 of it.

    >>> composed_id("thread", "user 1", "a:b", "")
    'thread:user 1:a%3Ab:'
    >>> composed_id("thread", "x" * 600)
    'thread:#90249bc5f1db1ab57743c4566bf1b9cd1ce28a7e14007e01f6119c055d1885b1'
    """
    text = ":".join((kind, *(_SPECIAL.sub(_quote, part) for part in parts)))
    encoded = text.encode()
    if len(encoded) <= MAX_NAME_BYTES:
        return text
    return f"{kind}:#{sha256(encoded).hexdigest()}"


def _quote(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))
