"""The contract of the artifact registry."""

from asm_contract_tests.rules.artifact_registry.reading import ReadArtifactsContract
from asm_contract_tests.rules.artifact_registry.registering import RegisterContract

__all__ = ["ArtifactRegistryContract"]


class ArtifactRegistryContract(RegisterContract, ReadArtifactsContract):
    """Everything that the port `ArtifactRegistry` promises."""
