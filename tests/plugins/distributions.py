"""Distributions that strangers might make: one that is sound, and some that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core import PORT_VERSION

if TYPE_CHECKING:
    from pathlib import Path

_PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "asm-backend-{name}"
version = "3.2.1"
dependencies = ["asm-core"]

[project.entry-points."asm.backends"]
{name} = "asm_backend_{name}"

[tool.hatch.build.targets.wheel]
packages = ["asm_backend_{name}"]
"""

_PLUGIN = """\
from asm_core import BackendSpec, Capability, hookimpl
from asm_core.memory import MemoryBackend, State

STORES = {{}}


class Stranger(MemoryBackend):
    name = "{name}"


@hookimpl
def asm_backend():
    return BackendSpec(
        name="{name}", open=open_store, capabilities=Stranger.capabilities, port_version={version}, databases=("dicts",)
    )


def open_store(url, *, migrate, colour="grey"):
    {first_line}
    return Stranger(STORES.setdefault(url, State()))
"""

PLUGINS = {
    "stranger": _PLUGIN.format(name="stranger", version=PORT_VERSION, first_line="assert colour"),
    "ancient": _PLUGIN.format(name="ancient", version=0, first_line="assert colour"),
    "future": _PLUGIN.format(name="future", version=99, first_line="assert colour"),
    "driverless": _PLUGIN.format(name="driverless", version=PORT_VERSION, first_line="import a_driver_that_is_missing"),
    "torn": "import a_module_that_is_missing\n",
    "hookless": '"""No hook in here."""\n',
    "misnamed": _PLUGIN.format(name="somebody_else", version=PORT_VERSION, first_line="assert colour"),
}
"""The plugin module of each distribution, by the name of its backend."""

CONTRACT = """\
import pytest

import asm_core as asm
from asm_contract_tests import BackendContract


class TestStranger(BackendContract):
    @pytest.fixture
    def open_backend(self, tmp_path):
        return lambda: asm.open_backend("stranger", url=str(tmp_path), colour="green")

    @pytest.fixture
    def callers_transaction(self, backend):
        return backend.transaction
"""


def write_distribution(place: Path, name: str) -> Path:
    """Write the sources of a backend's distribution into a directory of `place`, and return that."""
    root = place / f"asm-backend-{name}"
    package = root / f"asm_backend_{name}"
    package.mkdir(parents=True)
    (root / "pyproject.toml").write_text(_PROJECT.format(name=name), "utf-8")
    (package / "__init__.py").write_text(PLUGINS[name], "utf-8")
    return root
