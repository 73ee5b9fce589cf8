"""Second processes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import pytest

PYTHON: Final = os.environ.get("ASM_TEST_PYTHON", sys.executable)
"""Their interpreter: in `nox -s integrations`, that of an environment with nothing but the wheels and the framework."""


def output_of(*command: str, limit: float) -> str:
    """Run Python with these arguments within the limit of seconds, and return what it prints."""
    command = (PYTHON, *command)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)  # noqa: S603  our own
    if done.returncode:
        pytest.fail(done.stderr)
    return done.stdout
