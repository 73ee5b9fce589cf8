"""The texts of the repository are plain English: constructions that crept in once, and are never right, are refused."""

from __future__ import annotations

import re
import subprocess

import pytest
from blocks import ROOT
from processes import LIMIT

REFUSED = {
    r"\bwhoever\b": "name the component: the caller, a reader, a writer, a process",
    r"(?:^|[.!?:] |\"\"\"|\*\*|[|-] |# )Who (?=[a-z])": "name the component",
    r"\b(?:[Ll]et|[Tt]ells?|[Ww]ake|[Tt]o|[Ff]or|[Bb]y|[Oo]f) who\b(?! in\b)": "name the component",
    r"\b[Ss]omebody\b": "name the component",
    r"\b[Ll]et nobody\b": "write what the component prevents",
    r"\banew\b": "again",
    r"\bfor ever\b": "forever, or always",
    r"\bno more than that\b": "only",
    r"\band no more\b": "only, exactly",
    r"\bat the most\b": "at most",
    r"\bis said\b": "is set, is selected, is documented",
    r"\b[Ii]s told\b|\btold of\b|\bto be told\b": "is notified, receives",
    r"\btell(?:s|ing)? of\b": "reports, notifies of",
    r"\btold apart\b": "distinguished",
    r"\bgives? back\b|\bgave back\b": "returns",
    r"\bbehind (?:it|them|the (?:last|first|command|page|name|header|session|slash|third))\b": "after",
    r"\bbefore or behind\b": "before or after",
    r"\bbusiness of (?:its|his|theirs)\b|\bnone of (?:its|a \w+'s) business\b": "not handled by",
    r"\bhas it that\b": "states",
    r"\bto the letter\b": "exactly, unchanged",
    r"\bgo(?:es)? through (?:all|some|each|the)\b": "scans",
    r"\bfor good\b": "permanently",
    r"\bin the place of\b": "instead of, replaces",
    r"\bso many (?:seconds|times|rows|events|days|numbers|levels|bytes)\b": "name the number",
}
"""Constructions that are never right, as patterns, and what to write."""

NAMES = re.compile(
    r"\bdef (test_(?:\w+_)?"
    r"(?:who|whoever|somebody|nobody|told|tells?|says?|said|anew|behind)(?:_\w+)?)\("
)
"""Names of tests follow the same rule."""

EXEMPT = {"CHANGELOG.md", "tests/docs/test_language.py"}


def texts() -> list[str]:
    command = ["git", "ls-files", "*.py", "*.md"]
    listed = subprocess.check_output(command, cwd=ROOT, text=True, timeout=LIMIT)
    return sorted(set(listed.splitlines()) - EXEMPT)


def refused(text: str) -> list[str]:
    """Return the refused constructions of a text, also across lines, with what to write."""
    joined = re.sub(r"[ \t]*\n[ \t]*(?:# |f?\")?(?=[a-z])", " ", text)
    found = [(match[0].strip(), remedy) for pattern, remedy in REFUSED.items() for match in _matches(pattern, joined)]
    return [f"{words!r}: {remedy}" for words, remedy in found] + NAMES.findall(text)


def _matches(pattern: str, text: str) -> list[re.Match[str]]:
    return list(re.finditer(pattern, text, re.MULTILINE))


@pytest.mark.parametrize("name", texts())
def test_text_is_plain_english(name: str) -> None:
    assert refused((ROOT / name).read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "Who has seen number N never later sees a new event numbered N or less.",
        "Whoever raised the counter keeps it until the commit.".lower(),
        "Which store a command works on is said by --backend, before or behind the command.",
        "# The connection is opened\n    # anew after a second.",
        "def test_who_waits_is_told_of_the_close() -> None:",
    ],
)
def test_old_style_is_refused(text: str) -> None:
    assert refused(text)
