"""The backend: four ports on one store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asm_core.errors import UnsupportedCapabilityError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

    from asm_core.ports.artifact_registry import ArtifactRegistry
    from asm_core.ports.maintenance import Maintenance
    from asm_core.ports.query_api import QueryAPI
    from asm_core.ports.session_store import SessionStore

PORT_VERSION = 3
"""The version of the ports. A backend for another version is rejected."""


class Capability(StrEnum):
    """An optional feature of a backend. The backend declares it; it is never detected."""

    DURABLE = "durable"
    """Stored data persists after the backend is closed."""
    MULTI_PROCESS = "multi_process"
    """Several processes can use one store at the same time."""
    TRANSACTIONS = "transactions"
    """`Backend.transaction` makes all calls inside it one transaction."""
    BIND = "bind"
    """`Backend.bind` makes the ports join the caller's transaction."""
    MIGRATIONS = "migrations"
    """The store has a schema, which `Backend.migrate` upgrades and downgrades."""


class Backend(ABC):
    """The four ports of one store, with its transactions and its schema. Safe to share between threads."""

    name: ClassVar[str]
    """The name in the configuration."""
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    """The declared capabilities; a call that needs another raises `UnsupportedCapabilityError`."""

    session_store: SessionStore
    query_api: QueryAPI
    maintenance: Maintenance
    artifact_registry: ArtifactRegistry

    @property
    def connections(self) -> int:
        """The number of calls that can use the store at the same time; `asm_core.aio` runs as many threads."""
        return 8

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context in which all port calls of this thread form one transaction.

        It commits at the end and rolls back on an exception. A nested one rolls back by itself, and commits with the
        outer one.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `transactions`.
        """
        raise UnsupportedCapabilityError(self.name, Capability.TRANSACTIONS)

    def bind(self, connection: Any) -> AbstractContextManager[None]:
        """Return a context in which all port calls of this thread join the caller's transaction on `connection`.

        They commit with it and roll back with it.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `bind`.
        """
        raise UnsupportedCapabilityError(self.name, Capability.BIND)

    def migrate(self, version: int | None = None) -> list[int]:
        """Migrate the schema to `version` (None: the newest), up or down; return the applied versions.

        Any number of processes may call this at the same time.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `migrations`.
            MigrationRequiredError: the schema is newer than this version of asm-core.
        """
        raise UnsupportedCapabilityError(self.name, Capability.MIGRATIONS)

    def schema_version(self) -> int:
        """Return the version of the schema; 0 if there is none yet.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `migrations`.
        """
        raise UnsupportedCapabilityError(self.name, Capability.MIGRATIONS)

    @abstractmethod
    def close(self) -> None:
        """Release all resources that the backend opened itself. Closing twice is a no-op."""

    def __enter__(self) -> Self:
        """Return the backend."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the backend."""
        self.close()
