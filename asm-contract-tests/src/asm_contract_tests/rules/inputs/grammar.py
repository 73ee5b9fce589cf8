"""Hostile texts and payloads, put together at random, the same ones each time, from what breaks other stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

SQL: Final = [
    "'", "''", '"', "`", "--", "/*", "*/", ";", "#", "' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE asm_sessions; --",
    "'); DELETE FROM asm_events; --", "x' UNION SELECT * FROM asm_events --", "'||pg_sleep(9)||'", "$$", "$tag$",
    "E'\\''", "COMMIT;", "ROLLBACK;", "BEGIN;", "ATTACH DATABASE 'x' AS y", "PRAGMA writable_schema=1",
    "COPY t TO PROGRAM 'id'", "]]>", "0x27", "CHAR(39)", "NULL", "\u02bc", "\u2019", "\uff07", "\u2032",
]  # fmt: skip
PLACEHOLDERS: Final = [
    "?", "?1", ":name", ":1", "@p", "$1", "$name", "%s", "%(id)s", "%(x)s", "%%", "%", "{}", "{0}", "{id}", "{{",
    "${x}", "#{x}", "{{7*7}}", "\\x00", "\\u0000", "\\", "\\'", "\\\\", "\\N", "\\.",
]  # fmt: skip
PATTERNS: Final = [
    "%",
    "_",
    "*",
    "[a-z]",
    "a%",
    "_b",
    "^",
    ".*",
    "(a+)+$",
    "$.id",
    "$[0]",
    "$[*].x",
    "@>",
    "?|",
    "->>",
    "#>",
]
PATHS: Final = [
    "../", "..\\", "/etc/passwd", "file:///etc/passwd", "file:x?mode=memory", "C:\\Windows", "//host/share", "~root",
    "/dev/zero", ":memory:", "%2e%2e%2f", "..%c0%af", "CON", "a/b", "./", ".", "..", "\n", "\r\n", "\t", " ",
]  # fmt: skip
UNICODE: Final = [
    "é", "e\u0301", "ß", "SS", "\u0130", "\u0131", "\u202e", "\u200b", "\ufeff", "\uffff", "\U0010ffff", "🙂",
    "\u2028", "\x01", "\x1b[2J", "\x7f", "\x85", "\xa0", "א", "ﬁ",
]  # fmt: skip
JSON: Final = [
    '{"a":1}',
    "[]",
    "null",
    '"',
    '\\"',
    "true",
    "1e999",
    "NaN",
    "</script>",
    "__proto__",
    "a.b",
    "['x']",
    "0",
    "00",
]
WORDS: Final = ["id", "a", "A", "tag", "session", "asm_events", "1", "-1"]
NEVER: Final = ["\0", "a\0b", "\ud800", "\udfff", "\ud83d"]
"""What no name may hold, and of which payloads may hold the first two."""

KINDS: Final = (SQL, PLACEHOLDERS, PATTERNS, PATHS, UNICODE, JSON, WORDS)
JOINTS: Final = ("", "", "", " ", "'", ";", "/", "\t", "%")
HUGE: Final = 1_000_000
MANY: Final = 10_000


def hostile_text(random: Random) -> str:
    """Return a text of one to six pieces; a few are too long for a name, and a few hold what no name may hold."""
    pieces = [random.choice(random.choice(KINDS)) for _ in range(random.randint(1, 6))]
    text = random.choice(JOINTS).join(pieces)
    chance = random.random()
    if chance < 0.05:
        place = random.randrange(len(text) + 1)
        return text[:place] + random.choice(NEVER) + text[place:]
    if chance < 0.08:
        return text * random.randrange(2, 200)
    return text


def neighbour(random: Random, text: str) -> str:
    """Return a text that is nearly the same, so that what is taken loosely takes one for the other."""
    return random.choice(
        [text.swapcase(), text + random.choice(PATTERNS), text[:-1], f" {text}", f"{text} ", f"%{text}"]
    )


def hostile_payload(random: Random, levels: int = 3) -> dict[str, Any]:
    """Return a payload whose keys and values are hostile texts, among the other shapes of JSON."""
    return {hostile_text(random): _value(random, levels) for _ in range(random.randint(1, 3))}


def _value(random: Random, levels: int) -> Any:
    scalars: list[Callable[[], Any]] = [
        lambda: hostile_text(random),
        lambda: hostile_text(random),
        lambda: random.choice([None, True, 0, -1, 2**63, 0.1, 1e308]),
    ]
    if levels:
        scalars += [
            lambda: hostile_payload(random, levels - 1),
            lambda: [_value(random, levels - 1) for _ in range(random.randint(0, 3))],
        ]
    return random.choice(scalars)()


def nested(levels: int, shape: str) -> dict[str, Any]:
    """Return a payload with `depth` levels of objects or arrays."""
    value: Any = "innermost"
    for _ in range(levels):
        value = {"a": value} if shape == "objects" else [value]
    return {"a": value}


def levels_of(payload: Any) -> tuple[int, Any]:
    """Return how many levels deep `nested` made a payload, and what is innermost; comparing would exhaust the stack."""
    levels, value = -1, payload
    while isinstance(value, dict | list):
        [value] = value.values() if isinstance(value, dict) else value
        levels += 1
    return levels, value


SIZES: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "a megabyte": lambda: {"x": "x" * HUGE},
    "a megabyte of quotes": lambda: {"x": "'\"\\" * (HUGE // 3)},
    "a megabyte of emoji": lambda: {"x": "🙂" * (HUGE // 4)},
    "a key of a megabyte": lambda: {"x" * HUGE: 1},
    "ten thousand keys": lambda: {f"'{place}": place for place in range(MANY)},
    "ten thousand items": lambda: {"x": ["%s"] * MANY},
    "ten thousand objects": lambda: {"x": [{"$1": None}] * MANY},
    "a great integer": lambda: {"x": 10**4000},
}
