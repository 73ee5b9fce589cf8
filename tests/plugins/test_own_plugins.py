"""The backends and providers of this repository, as the registry sees them."""

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


LIST_PROVIDERS = """
import sys
import asm_core
names = [f"{found.name}={found.status}" for found in asm_core.installed_providers()]
print(*names, *(sdk for sdk in ("anthropic", "openai", "httpx2") if sdk in sys.modules))
"""


def test_listing_the_providers_imports_no_sdk() -> None:
    listed = subprocess.check_output([sys.executable, "-c", LIST_PROVIDERS], text=True, timeout=LIMIT)
    assert listed.split() == ["anthropic=ok", "openai=ok"]
