"""A backend: the four ports over one store."""

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

PORT_VERSION = 2
"""The version of the ports. A backend written for another one is refused."""


class Capability(StrEnum):
    """What not every backend can do. Declared by the backend, never detected."""

    DURABLE = "durable"
    """What is stored is still there when the backend is opened again."""
    MULTI_PROCESS = "multi_process"
    """Several processes may use one store at once."""
    TRANSACTIONS = "transactions"
    """`Backend.transaction` makes one atomic unit of all that the ports do inside it."""
    JOIN = "join"
    """`Backend.bind` lets the ports join a transaction of the caller's own."""
    MIGRATIONS = "migrations"
    """The store has a schema, which `Backend.migrate` brings up and down."""


class Backend(ABC):
    """Holds one store's four ports, and what concerns all of them. Safe to share between threads."""

    name: ClassVar[str]
    """What it is called in the configuration."""
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    """What it declares; a call that needs another raises `UnsupportedCapabilityError`."""

    session_store: SessionStore
    query_api: QueryAPI
    maintenance: Maintenance
    artifact_registry: ArtifactRegistry

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context in which all that the ports do, in this thread, is one atomic unit.

        It commits at the end and rolls back on an exception. Inside another one, it is undone alone and committed with
        the other.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `transactions`.
        """
        raise UnsupportedCapabilityError(self.name, Capability.TRANSACTIONS)

    def bind(self, connection: Any) -> AbstractContextManager[None]:
        """Return a context in which the ports, in this thread, work inside the caller's transaction on `connection`.

        They commit with it and roll back with it.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `join`.
        """
        raise UnsupportedCapabilityError(self.name, Capability.JOIN)

    def migrate(self, version: int | None = None) -> list[int]:
        """Bring the schema to `version` (None: the newest), up or down; return the versions passed.

        Any number of processes may do so at once.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `migrations`.
            MigrationRequiredError: the schema is newer than this program knows.
        """
        raise UnsupportedCapabilityError(self.name, Capability.MIGRATIONS)

    def schema_version(self) -> int:
        """Return the version of the schema; 0 where there is none yet.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `migrations`.
        """
        raise UnsupportedCapabilityError(self.name, Capability.MIGRATIONS)

    @abstractmethod
    def close(self) -> None:
        """Release what the backend opened itself. Closing twice is a no-op."""

    def __enter__(self) -> Self:
        """Return the backend."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the backend."""
        self.close()
