"""Names of LangGraph's namespaces and keys in the state store.

A namespace is a path of labels. Its name joins them by dots, so that the names below a path begin with its name.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from asm_core.values.ids import MAX_NAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.store.base import MatchCondition

Labels = tuple[str, ...]

ROOT: Final = "langgraph_store"
"""How the names of all namespaces begin."""

_KEPT: Final = 400
"""A name that is too long keeps this many characters, and ends with its hash."""
_EMPTY: Final = "%"
"""The name of the empty key; no quoted text is the same."""


@lru_cache(maxsize=1_000)
def name_of(labels: Labels) -> str:
    """Return the name of a namespace; no two have the same.

    >>> name_of(("users", "Ann B."))
    'langgraph_store.users.Ann%20B%2E'
    """
    return _short(_path(labels))


@lru_cache(maxsize=1_000)
def key_name(key: str) -> str:
    """Return the name of a key; no two have the same."""
    return _short(_quoted(key)) or _EMPTY


def labels_of(name: str) -> Labels | None:
    """Return the labels of a namespace's name; None if the name is a hash, and its records have to be asked."""
    if "#" in name:
        return None
    return tuple(unquote(label, errors="surrogatepass") for label in name.split(".")[1:])


def start_of(prefix: Sequence[str]) -> str:
    """Return how the name of each namespace below a path begins; that of some others may, too."""
    return _path(prefix)[:_KEPT]


def is_match(condition: MatchCondition, labels: Labels) -> bool:
    """Return whether a namespace begins or ends with a path, in which ``*`` is any label."""
    path = condition.path
    if len(labels) < len(path):
        return False
    part = labels[: len(path)] if condition.match_type == "prefix" else labels[len(labels) - len(path) :]
    return all(wanted in ("*", label) for wanted, label in zip(path, part, strict=True))


def _path(labels: Sequence[str]) -> str:
    return ".".join((ROOT, *map(_quoted, labels)))


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass").replace(".", "%2E")


def _short(text: str) -> str:
    if len(text) <= MAX_NAME_BYTES:
        return text
    return f"{text[:_KEPT]}#{hashlib.sha256(text.encode()).hexdigest()}"
