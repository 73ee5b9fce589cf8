"""The tables of the text index on SQLite: FTS5 without a copy of the texts, which triggers keep up.

https://www.sqlite.org/fts5.html. Events have no number of their own that survives VACUUM, so a table gives each event
one. The texts are computed from the events, by the view that FTS5 reads and by the triggers.
"""

from __future__ import annotations

import string
from typing import Final

from asm_core.sql.text_search.terms import ANY, BEYOND, LIGATURES

# FTS5 would take characters of after Unicode 6.1 for letters. Here they separate, and so do letters of the same blocks.
_SEPARATORS: Final = (
    (0x370, 0x527),
    (0x1F00, 0x2BFF),
    (0x3000, 0x33FF),
    (0x4DB6, 0x4DFF),
    (0xFB00, 0xFFEF),
    (0x1F000, 0x1FAFF),
)
# A text that has other characters is marked. They are few ranges, each of which is compared with each character.
_KNOWN: Final = (
    (0x01, 0x2FF),
    (0x370, 0x527),
    (0x1E00, 0x2BFF),
    (0x3000, 0x9FCC),
    (0xAC00, 0xD7A3),
    (0xFB00, 0xFFEF),
    (0x1F000, 0x1FAFF),
)
_RUNS: Final = string.ascii_letters + string.digits


def _characters(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


def _replaced(text: str) -> str:
    for character, other in LIGATURES.items():
        text = f"replace({text}, char({ord(character)}), '{other}')"
    return text


_UNKNOWN: Final = "'*[^' || " + " || ".join(f"char({first}, 45, {last})" for first, last in _KNOWN) + " || ']*'"


def _text(data: str) -> str:
    """Return the expression for the text that is indexed for a column of JSON: its strings, but not its keys.

    Some versions of SQLite end a string at a NUL.
    """
    readable = rf"""CASE WHEN json_valid({data}) AND instr({data}, '\u0000') = 0 THEN {data} ELSE '["{ANY}"]' END"""
    strings = (
        f"SELECT coalesce(group_concat(j.atom, ' '), '') AS text FROM json_tree({readable}) j WHERE j.type = 'text'"
    )
    folded = (
        "SELECT CASE WHEN length(s.text) = length(CAST(s.text AS BLOB)) THEN s.text "
        f"WHEN s.text GLOB {_UNKNOWN} THEN '{ANY}' ELSE {_replaced('s.text')} || ' {BEYOND}' END AS text "
        f"FROM ({strings}) s"
    )
    return f"(SELECT CASE WHEN instr(f.text, char(27)) THEN {_WITHOUT_SEQUENCES} ELSE f.text END FROM ({folded}) f)"


# The text between two escapes is indexed with and without the rest of an escape sequence at its beginning: without the
# first character after the parameters of a sequence that begins with a bracket, or of another one.
_PIECES: Final = (
    "json_each('[' || replace(json_quote(replace(f.text, char(92), '/')), char(92) || 'u001b', '\",\"') || ']') p"
)
_AFTER_SEQUENCE: Final = (
    "CASE WHEN substr(p.value, 1, 1) = '[' "
    "THEN substr(ltrim(ltrim(substr(p.value, 2), '0123456789:;<=>?'), ' !\"#$%&''()*+,-./'), 2) "
    "ELSE substr(ltrim(p.value, ' !\"#$%&''()*+,-./'), 2) END"
)
_WITHOUT_SEQUENCES: Final = f"(SELECT group_concat(p.value || ' ' || {_AFTER_SEQUENCE}, ' ') FROM {_PIECES})"


_FORGET: Final = (
    f"INSERT INTO asm_words (asm_words, rowid, text) SELECT 'delete', t.number, {_text('OLD.data')} "
    "FROM asm_texts t WHERE t.event_id = OLD.id; DELETE FROM asm_texts WHERE event_id = OLD.id"
)
TRIGGERS: Final = {
    "asm_text_numbered": (
        "AFTER INSERT ON asm_texts BEGIN INSERT INTO asm_words (rowid, text) "
        "SELECT s.number, s.text FROM asm_text_source s WHERE s.number = NEW.number; END"
    ),
    "asm_text_appended": (
        "AFTER INSERT ON asm_events BEGIN INSERT OR REPLACE INTO asm_texts (event_id) VALUES (NEW.id); END"
    ),
    "asm_text_changed": (
        "AFTER UPDATE OF id, data ON asm_events WHEN OLD.data <> NEW.data OR OLD.id <> NEW.id BEGIN "
        f"{_FORGET}; INSERT OR REPLACE INTO asm_texts (event_id) VALUES (NEW.id); END"
    ),
    "asm_text_removed": f"AFTER DELETE ON asm_events BEGIN {_FORGET}; END",
}
CREATION: Final = (
    "CREATE TABLE asm_text_index (is_complete INTEGER NOT NULL) STRICT",
    "INSERT INTO asm_text_index (is_complete) VALUES (0)",
    "CREATE TABLE asm_texts (number INTEGER NOT NULL PRIMARY KEY, event_id TEXT NOT NULL UNIQUE) STRICT",
    f"CREATE VIEW asm_text_source (number, text) AS SELECT t.number, {_text('e.data')} "
    "FROM asm_texts t CROSS JOIN asm_events e ON e.id = t.event_id",
    "CREATE VIRTUAL TABLE asm_words USING fts5(text, content='asm_text_source', content_rowid='number', "
    "detail='none', columnsize=0, tokenize=\"unicode61 remove_diacritics 0 categories 'Cs' "
    f"tokenchars '{_RUNS}' separators '{_characters(_SEPARATORS)}'\")",
    *(f"CREATE TRIGGER {name} {body}" for name, body in TRIGGERS.items()),
)
"""The statements that create the index of the events from then on."""
DROPPED: Final = (
    *(f"DROP TRIGGER IF EXISTS {name}" for name in TRIGGERS),
    "DROP TABLE IF EXISTS asm_words",
    "DROP VIEW IF EXISTS asm_text_source",
    "DROP TABLE IF EXISTS asm_texts",
    "DROP TABLE IF EXISTS asm_text_index",
)
"""What removes the index."""
