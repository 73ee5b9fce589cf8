"""Nothing that was recorded reaches a terminal as a command."""

from __future__ import annotations

import json
import sys
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st

from asm_core.cli.output.text import age, dollars, json_text, summary
from asm_core.cli.parsing.when import parse_time
from asm_core.escaping import visible

HARMFUL = {"Cc", "Cf", "Zl", "Zp", "Cs"}


@given(st.text(st.characters()))
def test_visible_text_holds_no_control_character(text: str) -> None:
    assert not HARMFUL & {unicodedata.category(character) for character in visible(text)}
    kept = visible(text, newlines=True).replace("\n", "")
    assert not HARMFUL & {unicodedata.category(character) for character in kept}


@given(st.text(st.characters(codec="utf-8")))
@example("\x7f")
def test_json_text_holds_no_control_character_and_comes_back_equal(text: str) -> None:
    written = json_text({"text": text})
    assert not HARMFUL & {unicodedata.category(character) for character in written} - {"Cs"}
    assert json.loads(written) == {"text": text}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 🙂 \\n", "plain é 🙂 \\n"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[31m\x07\x7f", r"\x1b[31m\x07\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("\U000e0041\u200d\ufe00", r"\U000e0041\u200d\ufe00"),
        ("\u2764\ufe0f\ufe0f", "\u2764\ufe0f\\ufe0f"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udcff", r"\udcff"),
    ],
)
def test_what_a_terminal_might_obey_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_every_control_and_format_character_is_escaped() -> None:
    shown = visible("".join(map(chr, range(sys.maxunicode + 1))))
    assert not {one for one in shown if unicodedata.category(one) in HARMFUL}


def test_a_lone_surrogate_is_json_too() -> None:
    assert json.loads(json_text(["\udcff", "\x9b"])) == ["\udcff", "\x9b"]


def test_newlines_are_kept_where_they_are_wanted() -> None:
    assert visible("a\nb\x1b", newlines=True) == "a\nb\\x1b"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, ""),
        ({"stream": "stderr", "text": "oops"}, "stderr: oops"),
        ({"stream": "stdout", "delta": "one\n\n", "base64": "eA=="}, "stdout: one\n base64=eA=="),
        ({"role": "user", "content": "hello"}, "hello role=user"),
        ({"command": ["a", "b c"], "cwd": "/x"}, 'command=["a","b c"] cwd=/x'),
        ({"note": "two words", "empty": ""}, 'note="two words" empty=""'),
        ({"text": 5, "stream": {}}, "text=5 stream={}"),
    ],
)
def test_the_summary_of_an_event_has_all_of_its_data(data: dict[str, object], text: str) -> None:
    assert summary(data) == text


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-5, "0s"), (0.5, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (86_400 * 400, "400d")]
)
def test_an_age_is_given_in_its_greatest_unit(seconds: float, shown: str) -> None:
    assert age(datetime.now(UTC) - timedelta(seconds=seconds)) == shown


def test_money_is_exact_and_without_exponent() -> None:
    assert dollars(Decimal("0.000000001")) == "0.000000001"
    assert dollars(Decimal("1E+3")) == "1000"


def test_a_time_may_be_given_as_how_long_ago() -> None:
    given = parse_time("--since", "2h")
    assert given is not None
    assert timedelta(hours=2) <= datetime.now(UTC) - given < timedelta(hours=2, minutes=1)


def test_a_time_with_a_zone_is_taken_as_it_is() -> None:
    assert parse_time("--since", "2026-01-31T12:00:00+02:00") == datetime(2026, 1, 31, 10, tzinfo=UTC)


def test_a_time_without_a_zone_is_local() -> None:
    assert parse_time("--since", "2026-01-31") == datetime(2026, 1, 31).astimezone()


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "h", "-2h", "2026-13-01", "999999999w", "0001-01-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    if text == "0001-01-01":
        text += "T00:00:00+14:00"
    with pytest.raises(typer.BadParameter, match="Invalid time"):
        parse_time("--since", text)
