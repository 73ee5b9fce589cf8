"""The function and the index of the text index on PostgreSQL."""

from __future__ import annotations

import string
from typing import Final

from asm_core.sql.text_search.terms import ANY, BEYOND, LIGATURES

LONGEST: Final = 250
"""The characters of a longer word that are indexed; in a short text, all are."""
_LONG_TEXT: Final = 2000
"""The bytes of a text from which on it may have a word that is too long for a tsvector."""
_LONGEST_TEXT: Final = 500_000
"""The bytes of a text that certainly fits into a tsvector of 1 MB, even twice."""

# Characters that mean something in a literal, to the driver or to str.format are written by their codes.
_SPECIAL: Final = frozenset("'\\${}%\x7f")


def _replaced(text: str, others: dict[str, str]) -> str:
    """Return the expression that replaces characters: replace() is much faster than translate()."""
    for character, other in others.items():
        is_plain = character.isascii() and character not in _SPECIAL
        text = f"replace({text}, {_quoted(character) if is_plain else f'chr({ord(character)})'}, '{other}')"
    return text


def _quoted(text: str) -> str:
    return f"'{text}'"


_ESCAPES: Final = {"/": "'/'", '"': "chr(34)", **dict.fromkeys("ntrbf", "chr(10)")}
"""JSON's escapes of one character, by what is written after the backslash, and what they are replaced by."""


def _unescaped(text: str) -> str:
    """Return the expression that replaces JSON's escapes of one character; that of the backslash comes first."""
    text = f"replace({text}, chr(92) || chr(92), '~')"
    for written, other in _ESCAPES.items():
        text = f"replace({text}, chr(92) || '{written}', {other})"
    return text


BODY: Final = f"""
DECLARE
    found text COLLATE "C" := lower(data::text COLLATE "C");
    is_beyond boolean := octet_length(found) <> char_length(found);
BEGIN
    IF octet_length(found) > {_LONGEST_TEXT} THEN
        RETURN '{ANY}'::tsvector;
    END IF;
    IF is_beyond THEN
        found := {_replaced("found", LIGATURES)};
    END IF;
    IF strpos(found, chr(92)) > 0 THEN
        found := {_unescaped("found")};
        IF strpos(found, chr(92) || 'u') > 0 THEN
            IF strpos(found, chr(92) || 'u001b') > 0 THEN
                -- With and without escape sequences: a sequence at the end of a string would take from the next one.
                found := replace(found, chr(92) || 'u001b', chr(27));
                found := found || ' ' || regexp_replace(
                    found, chr(27) || '([[][0-?]*[ -/]*[@-~]|[ -/]*[0-~])', ' ', 'g'
                );
                found := replace(found, chr(27), ' ');
            END IF;
            found := regexp_replace(found, chr(92) || chr(92) || 'u00[01][0-9a-f]', ' ', 'g');
            IF strpos(found, chr(92) || 'u') > 0 THEN
                RETURN '{ANY}'::tsvector;
            END IF;
        END IF;
    END IF;
    found := {_replaced("found", dict.fromkeys(string.punctuation + chr(127), " "))};
    IF is_beyond THEN
        found := regexp_replace(found, '[^' || chr(1) || '-' || chr(127) || ']+', ' ', 'g') || ' {BEYOND}';
    END IF;
    IF octet_length(found) > {_LONG_TEXT} THEN
        found := (SELECT string_agg(left(w.word, {LONGEST}), ' ') FROM unnest(string_to_array(found, ' ')) w (word));
    END IF;
    RETURN found::tsvector;
END """
FUNCTION: Final = (
    "CREATE FUNCTION {place}asm_words(data json) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE "
    f"COST 10000 AS $${BODY}$$"
)
"""Returns the words of the data of an event. The index computes it for each row, so every writer does."""
INDEX: Final = "asm_events_by_text"
DROPPED: Final = ("DROP FUNCTION IF EXISTS {place}asm_words(json)",)
"""What removes the rest of the index after the table."""
