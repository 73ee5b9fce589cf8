"""A directory of artifacts, and a backend with a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(place: Path) -> asm.DirectoryArtifactStore:
    return asm.DirectoryArtifactStore(place)


@pytest.fixture
def backend() -> Iterator[asm.Backend]:
    with asm.open_backend("memory") as backend:
        yield backend


@pytest.fixture
def artifacts(backend: asm.Backend, store: asm.DirectoryArtifactStore) -> asm.Artifacts:
    return backend.artifacts(store)
