"""The backend: five ports on one store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asm_core.errors import UnsupportedCapabilityError
from asm_core.ports.artifacts import Artifacts

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

    from asm_core.ports.artifact_registry import ArtifactRegistry
    from asm_core.ports.artifact_store import ArtifactStore
    from asm_core.ports.maintenance import Maintenance
    from asm_core.ports.query_api import QueryAPI
    from asm_core.ports.session_store import SessionStore
    from asm_core.ports.state_store import StateStore

PORT_VERSION = 5
"""The version of the ports. A backend for another version is rejected."""


class Capability(StrEnum):
    """An optional feature of a backend. The backend declares it; it is never detected."""

    DURABLE = "durable"
    """Stored data persists after the backend is closed."""
    MULTI_PROCESS = "multi_process"
    """Several processes can use one store at the same time."""
    TRANSACTIONS = "transactions"
    """`Backend.transaction` yields ports whose calls form one transaction."""
    BIND = "bind"
    """`Backend.bind` yields ports that join the caller's transaction."""
    MIGRATIONS = "migrations"
    """The store has a schema, which `Backend.migrate` upgrades and downgrades."""
    GLOBAL_EVENT_IDS = "global_event_ids"
    """An event id names one event of the whole store: with another session it raises `AlreadyExistsError`, and
    `SessionStore.get_event` needs no session. Otherwise an id names one event of its session."""


class TextIndex(StrEnum):
    """Whether a store has an index for `QueryAPI.search_text`."""

    ABSENT = "absent"
    """There is none; a search reads all events that match its filters."""
    INCOMPLETE = "incomplete"
    """It is being built, or that was interrupted. It is not used."""
    COMPLETE = "complete"
    """It has all events, and searches use it."""


class Ports(ABC):
    """The five ports, of a store or of one transaction.

    The ports of a transaction may be handed to another thread or task, for one call at a time. After the transaction
    they raise `StorageError`.
    """

    session_store: SessionStore
    query_api: QueryAPI
    maintenance: Maintenance
    artifact_registry: ArtifactRegistry
    state_store: StateStore

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Ports]:
        """Return a context that yields the ports of a new transaction; in a transaction, of one nested in it.

        It commits at the end and rolls back on an exception. A nested one rolls back by itself, and commits with the
        outer one. While it is open, calls on the outer ports join it in the same thread, and otherwise raise.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `transactions`.
        """


class Backend(Ports):
    """The five ports of one store, with its transactions and its schema. Safe to share between threads."""

    name: ClassVar[str]
    """The name in the configuration."""
    capabilities: frozenset[Capability] = frozenset()
    """The declared capabilities; a call that needs another raises `UnsupportedCapabilityError`."""

    @property
    def connections(self) -> int:
        """The number of calls that can use the store at the same time; `asm_core.aio` runs as many threads."""
        return 8

    def artifacts(self, store: ArtifactStore) -> Artifacts:
        """Return artifacts whose content is in `store`, and whose metadata is in this backend's registry."""
        return Artifacts(store, self.artifact_registry)

    def transaction(self) -> AbstractContextManager[Ports]:
        """Return a context that yields the ports of a transaction.

        It commits at the end and rolls back on an exception. A nested one rolls back by itself, and commits with the
        outer one.

        In synchronous code, calls on the backend's own ports in the same thread join it too, and another `transaction`
        is nested in it. Where an event loop runs in the thread, only the yielded ports join: a call on
        the backend's own ports raises in a task that inherited the transaction, or in the thread of one that has it
        open.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `transactions`.
            StorageError: the transaction would be nested by accident, or the thread would wait for itself.
        """
        raise UnsupportedCapabilityError(self.name, Capability.TRANSACTIONS)

    def bind(self, connection: Any) -> AbstractContextManager[Ports]:
        """Return a context that yields ports in the caller's transaction on `connection`.

        What they write commits with it and rolls back with it. Nothing is taken before their first call, also not the
        writer of SQLite, and the context may end in another thread. Calls on the backend's own ports join as in
        `transaction`.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `bind`.
        """
        raise UnsupportedCapabilityError(self.name, Capability.BIND)

    def migrate(
        self, version: int | None = None, *, partitions: int | None = None, text_search: bool | None = None
    ) -> list[int]:
        """Migrate the schema to `version` (None: the newest), up or down; return the applied versions.

        Any number of processes may call this at the same time.

        Args:
            version: the target version.
            partitions: the number of tables into which runs and events are then partitioned by their session; only at
                the newest version. A store that has this number is left alone. Otherwise rows are copied, and all other
                calls that read or write the store wait until that ends. Then the backend, and each one that is
                opened later, does not declare `global_event_ids`.
            text_search: build the index of `QueryAPI.search_text`, or remove it; None leaves it as it is. Only at the
                newest version. Other calls continue meanwhile. A build that was interrupted continues at the next call.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `migrations`.
            ValidationError: the version is unknown, the store cannot have this number of partitions, or it cannot have
                a text index.
            MigrationRequiredError: the schema is newer than this version of asm-core.
        """
        raise UnsupportedCapabilityError(self.name, Capability.MIGRATIONS)

    def schema_version(self) -> int:
        """Return the version of the schema; 0 if there is none yet.

        Raises:
            UnsupportedCapabilityError: the backend does not declare `migrations`.
        """
        raise UnsupportedCapabilityError(self.name, Capability.MIGRATIONS)

    def text_index(self) -> TextIndex:
        """Return whether the store has an index for `QueryAPI.search_text`, and whether it has all events."""
        return TextIndex.ABSENT

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
