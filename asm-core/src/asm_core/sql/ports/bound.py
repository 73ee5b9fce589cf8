"""The ports on one transaction."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from asm_core.concurrency.contexts import contextmanager
from asm_core.ports import ArtifactRegistry, Maintenance, Ports, QueryAPI, SessionStore, StateStore
from asm_core.sql.ports.artifact_registry import SQLArtifactRegistry
from asm_core.sql.ports.query_api import SQLQueryAPI
from asm_core.sql.ports.retention_store import SQLRetentionStore
from asm_core.sql.ports.session_store import SQLSessionStore
from asm_core.sql.ports.state_store import SQLStateStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core.sql.database import Database


class SQLPorts(Ports):
    """The ports on the transaction of a bound `Database`; each is made at its first use."""

    def __init__(self, database: Database[Any], watching: SessionStore) -> None:
        """Use a bound database; waiters wait with the watcher of `watching`."""
        self._database = database
        self._watching = watching

    @cached_property
    def session_store(self) -> SessionStore:  # type: ignore[override]
        """The session store."""
        return SQLSessionStore(self._database, self._watching)

    @cached_property
    def query_api(self) -> QueryAPI:  # type: ignore[override]
        """The query API."""
        return SQLQueryAPI(self._database)

    @cached_property
    def maintenance(self) -> Maintenance:  # type: ignore[override]
        """The maintenance."""
        return Maintenance(SQLRetentionStore(self._database))

    @cached_property
    def artifact_registry(self) -> ArtifactRegistry:  # type: ignore[override]
        """The artifact registry."""
        return SQLArtifactRegistry(self._database)

    @cached_property
    def state_store(self) -> StateStore:  # type: ignore[override]
        """The state store."""
        return SQLStateStore(self._database)

    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        """Nest a transaction."""
        with self._database.transaction() as database:
            yield SQLPorts(database, self._watching)
