"""The backends of this repository, as the registry sees them."""

from __future__ import annotations

import subprocess
import sys

from processes import LIMIT

LIST = """
import sys
import asm_core
names = [backend.name for backend in asm_core.installed_backends()]
print(*names, *(orm for orm in ("peewee", "pony", "sqlalchemy") if orm in sys.modules))
"""


def test_listing_the_backends_imports_no_orm() -> None:
    listed = subprocess.check_output([sys.executable, "-c", LIST], text=True, timeout=LIMIT)
    assert listed.split() == ["memory", "peewee", "pony", "sqlmodel"]
