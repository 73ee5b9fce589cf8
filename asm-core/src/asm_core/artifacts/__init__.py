"""Stores for the content of artifacts."""

from asm_core.artifacts.directory import DirectoryArtifactStore

__all__ = ["DirectoryArtifactStore"]
