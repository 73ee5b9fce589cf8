"""A working directory with files that another user may have written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Path]

STRANGER = 4242


@pytest.fixture(autouse=True)
def _in_an_empty_directory(empty_directory: Path) -> None:
    """Work in an empty directory."""


def _writable_by_others(path: Path, _: pytest.MonkeyPatch) -> None:
    path.chmod(0o666)


def _of_a_stranger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(path, STRANGER, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: STRANGER)


@pytest.fixture(params=[_writable_by_others, _of_a_stranger], ids=["writable by others", "of another user"])
def write_untrusted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a configuration that another user may have written."""

    def write(text: str, name: str = "asm.toml") -> Path:
        path = Path(name)
        path.write_text(text, "utf-8")
        request.param(path, monkeypatch)
        return path

    return write
