"""What `import asm_core` gives, and what it does not load."""

import subprocess
import sys

import pytest
from processes import LIMIT

import asm_core


@pytest.mark.parametrize("name", asm_core.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(asm_core, name).__class__
    assert name in dir(asm_core)


def test_public_names_are_listed_once_and_in_order() -> None:
    assert asm_core.__all__ == sorted(
        set(asm_core.__all__), key=lambda name: (not name.isupper(), name[0].islower(), name)
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'asm_core' has no attribute 'Sesion'"):
        asm_core.Sesion  # noqa: B018  looking is the test


def test_importing_core_loads_no_orm_and_none_of_what_comes_later() -> None:
    code = "import asm_core, sys; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True, timeout=LIMIT).split())
    later = {
        f"asm_core.{module}"
        for module in ("aio", "artifacts", "recording", "transfer", "commands", "cli", "memory", "sql")
    }
    assert not loaded & {"sqlalchemy", "sqlmodel", "peewee", "pony", "typer", "rich", "sqlite3", "asyncio", *later}
