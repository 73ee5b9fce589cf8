"""The rules of artifact stores."""

from asm_contract_tests.rules.artifact_store.blobs import ArtifactStoreContract, OpenArtifactStore

__all__ = ["ArtifactStoreContract", "OpenArtifactStore"]
