"""Stores for the content of artifacts."""

from asm_core.artifacts.directory import DirectoryArtifactStore
from asm_core.artifacts.fsspec import FsspecArtifactStore

__all__ = ["DirectoryArtifactStore", "FsspecArtifactStore"]
