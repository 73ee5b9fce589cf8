"""Payloads: any JSON that applications may keep."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

PAYLOADS: Final[list[dict[str, Any]]] = [
    {},
    {"": ""},
    {"b": 1, "a": 2, "c": {"z": 0, "y": 0, "x": 0}},
    {"2": "two", "10": "ten", "1": "one"},
    {"nul": "\0", "\0": "nul key", "a\0b": ["\0"]},
    {"emoji": "🙂👩‍👩‍👧‍👦", "🔑": "key", "rtl": "שלום", "combining": "e\u0301", "composed": "é"},
    {"controls": "".join(chr(code) for code in range(32)), "delete": "\x7f", "line": "\u2028\u2029", "bom": "\ufeff"},
    {"edges": ["\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"]},
    {"quotes": "'\"`\\/", "percent": "%s %(x)s {0} {x}", "backslash": "\\u0000", "escape": "\\\\"},
    {"integers": [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1]},
    {"floats": [0.0, -0.0, 0.1, 1.0, 1e-7, 5e-324, 1.7976931348623157e308, 2.5e16, 123456789.123456789]},
    {"one": 1, "one point": 1.0, "true": True, "text": "1"},
    {"null": None, "false": False, "empty": [[], {}, "", 0]},
    {"nested": [[[[{"a": [{"b": [[]]}]}]]]]},
    {"dates": "2026-03-01T12:00:00Z", "null text": "null", "number text": "1e5"},
    {"long": "x" * 100_000, "many": list(range(1000))},
]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(["", "\0", "🙂", "é", "'", "%"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
payloads: Final[st.SearchStrategy[dict[str, Any]]] = st.dictionaries(text, json_values, max_size=4)
"""Small JSON objects of all shapes."""


def exactly(payload: object) -> str:
    """Return a text that tells apart what compares equal: the order of keys, 1, 1.0 and True, 0.0 and -0.0."""
    return repr(payload)
