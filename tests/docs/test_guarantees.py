"""docs/guarantees.md names tests that exist, and that prove what they stand under."""

from __future__ import annotations

import re

import pytest
from blocks import ROOT

from asm_contract_tests import BackendContract

PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (G\d+): .*\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE))


def test_every_guarantee_has_a_section() -> None:
    assert list(SECTIONS) == [f"G{number}" for number in range(1, 18)]


@pytest.mark.parametrize("guarantee", SECTIONS)
def test_tests_of_the_suite_bear_the_marker_of_the_guarantee(guarantee: str) -> None:
    named = re.findall(r"^- `(test_\w+)`", SECTIONS[guarantee], re.MULTILINE)
    for name in named:
        markers = getattr(getattr(BackendContract, name), "pytestmark", [])
        assert guarantee in [marker.args[0] for marker in markers if marker.name == "guarantee"], name
    assert re.search(r"`test_\w+`", SECTIONS[guarantee])


# A file, then names of its tests; a list item may go on in indented lines.
ELSEWHERE = re.findall(r"^- `(tests/[\w/.]+)`:((?:\s+`test_\w+`,?)+)", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("path", "names"), ELSEWHERE)
def test_other_tests_stand_in_the_file_that_is_named(path: str, names: str) -> None:
    source = (ROOT / path).read_text("utf-8")
    assert [name for name in re.findall(r"\w+", names) if f"def {name}(" not in source] == []


def test_every_test_that_is_named_was_looked_at() -> None:
    of_the_suite = sum(len(re.findall(r"^- `test_\w+`", text, re.MULTILINE)) for text in SECTIONS.values())
    of_others = sum(len(re.findall(r"test_\w+", names)) for _, names in ELSEWHERE)
    assert len(re.findall(r"`test_\w+`", PAGE)) == of_the_suite + of_others
