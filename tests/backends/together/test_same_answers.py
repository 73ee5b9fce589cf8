"""For the same calls every backend on every database answers as the one in memory does (G10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from several import InStep

import asm_core as asm
from asm_contract_tests.rules.machine import compare

if TYPE_CHECKING:
    from pathlib import Path

BACKENDS = ("sqlmodel", "peewee", "pony")
SEQUENCES = 8


@pytest.mark.timeout(300)
def test_each_of_them_answers_as_the_one_in_memory(tmp_path: Path, postgresql_url: str, soak: int) -> None:
    places = [
        (name, {"url": url, **options})
        for name in BACKENDS
        for url, options in ((f"sqlite:///{tmp_path}/{name}.db", {}), (postgresql_url, {"schema": name}))
    ]
    opened = InStep([asm.open_backend(name, migrate=True, **place) for name, place in places])
    with opened:
        opened.migrate(0)
        opened.migrate()
        compare(opened, SEQUENCES * soak)
