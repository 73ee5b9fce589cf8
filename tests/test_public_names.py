"""What `import asm_core` gives, and what it does not load."""

import ast
import inspect
import subprocess
import sys

import pytest
from processes import LIMIT

import asm_core


@pytest.mark.parametrize("name", asm_core.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(asm_core, name).__class__
    assert name in dir(asm_core)


def test_type_checkers_see_each_name_in_the_module_that_it_is_imported_from() -> None:
    tree = ast.parse(inspect.getsource(asm_core))
    declared = {
        name.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert declared.pop("aio") == "asm_core"
    assert declared == {name: f"asm_core.{module}" for name, module in asm_core._HOMES.items()}


def test_public_names_are_listed_once_and_in_order() -> None:
    assert asm_core.__all__ == sorted(
        set(asm_core.__all__), key=lambda name: (not name.isupper(), name[0].islower(), name)
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'asm_core' has no attribute 'Sesion'"):
        asm_core.Sesion  # noqa: B018  looking is the test


def imported_by(code: str) -> set[str]:
    command = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    return set(subprocess.check_output(command, text=True, timeout=LIMIT).split())


def test_importing_core_imports_its_modules_at_first_use() -> None:
    of_core = {name for name in imported_by("import asm_core") if name.startswith("asm_core")}
    assert of_core == {"asm_core", "asm_core.errors", "asm_core.escaping"}


def test_opening_a_store_loads_no_orm_and_none_of_what_comes_later() -> None:
    loaded = imported_by("import asm_core as asm; asm.open_backend, asm.Session, asm.Page, asm.RetentionPolicy")
    later = {
        f"asm_core.{module}"
        for module in ("aio", "artifacts", "recording", "transfer", "commands", "cli", "memory", "sql")
    }
    assert not loaded & {"sqlalchemy", "sqlmodel", "peewee", "pony", "typer", "rich", "sqlite3", "asyncio", *later}
