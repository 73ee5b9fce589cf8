"""docs/guarantees.md names tests that exist, and that prove what they stand under."""

from __future__ import annotations

import re

import pytest
from blocks import ROOT

from asm_contract_tests import BackendContract

PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (G\d+): .*\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE))
NOT_PROVED = {"G11"}


def test_every_guarantee_has_a_section() -> None:
    assert list(SECTIONS) == [f"G{number}" for number in range(1, 18)]


@pytest.mark.parametrize("guarantee", SECTIONS)
def test_tests_of_the_suite_bear_the_marker_of_the_guarantee(guarantee: str) -> None:
    named = re.findall(r"^- `(test_\w+)`", SECTIONS[guarantee], re.MULTILINE)
    for name in named:
        markers = getattr(getattr(BackendContract, name), "pytestmark", [])
        assert guarantee in [marker.args[0] for marker in markers if marker.name == "guarantee"], name
    assert bool(named) != (guarantee in NOT_PROVED)
    assert ("Not proved yet" in SECTIONS[guarantee]) == (guarantee in NOT_PROVED)


@pytest.mark.parametrize("line", [line for line in PAGE.splitlines() if "- `tests/" in line])
def test_other_tests_stand_in_the_file_that_is_named(line: str) -> None:
    path, *names = re.findall(r"`([\w./]+)`", line)
    source = (ROOT / path).read_text("utf-8")
    assert names
    assert [name for name in names if f"\ndef {name}(" not in source] == []


def test_every_test_that_is_named_was_looked_at() -> None:
    listed = re.findall(r"^- .*$", PAGE, re.MULTILINE)
    assert len(re.findall(r"`test_\w+`", PAGE)) == sum(len(re.findall(r"`test_\w+`", line)) for line in listed)
