"""The pytest plugin: the option --soak, markers, known gaps, and rewritten assertions.

It imports nothing of the suite or of core, so that it costs other users of pytest nothing.
"""

from __future__ import annotations

import argparse

import pytest

pytest.register_assert_rewrite("asm_contract_tests.rules", "asm_contract_tests.together")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --soak."""
    parser.getgroup("asm").addoption(
        "--soak",
        type=_positive,
        default=1,
        metavar="N",
        help="the factor by which tests of concurrency, kills and hostile input run longer (default: 1)",
    )


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        message = f"it must be a whole number from 1 on, not {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> int:
    """Return the factor by which tests of concurrency, kills and hostile input run longer."""
    return int(request.config.getoption("soak"))


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line(
        "markers", "requires(capability): skipped visibly if the backend does not declare the capability."
    )
    config.addinivalue_line("markers", "soak: runs longer with --soak; `-m soak` selects these tests.")
    config.addinivalue_line("markers", "guarantee(name): the guarantee of the ports (G1 to G17) that the test proves.")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests that run longer with --soak, and expect known gaps to fail."""
    if "soak" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.soak)
    contract = getattr(item, "cls", None)
    gaps = getattr(contract, "known_gaps", None)
    if not isinstance(gaps, dict) or not hasattr(contract, "_asm_contract"):
        return
    name = getattr(item, "originalname", item.name)
    if name in gaps:
        item.add_marker(pytest.mark.xfail(reason=f"known gap: {gaps[name]}", strict=True))
