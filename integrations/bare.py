"""The interpreter of second processes."""

from __future__ import annotations

import os
import sys
from typing import Final

PYTHON: Final = os.environ.get("ASM_TEST_PYTHON", sys.executable)
"""In `nox -s integrations`, it is that of an environment with nothing but the wheels and the framework."""
