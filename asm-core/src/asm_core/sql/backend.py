"""A SQL backend for any ORM: the ports on one `Database`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from asm_core.concurrency.contexts import contextmanager
from asm_core.errors import ValidationError
from asm_core.ports import Backend, Capability, Maintenance, Ports, TextIndex
from asm_core.sql.database import Database
from asm_core.sql.dialects import Dialect
from asm_core.sql.options import PostgreSQLOptions, SQLiteOptions, chosen
from asm_core.sql.ports.artifact_registry import SQLArtifactRegistry
from asm_core.sql.ports.bound import SQLPorts
from asm_core.sql.ports.query_api import SQLQueryAPI
from asm_core.sql.ports.retention_store import SQLRetentionStore
from asm_core.sql.ports.session_store import SQLSessionStore
from asm_core.sql.ports.state_store import SQLStateStore
from asm_core.sql.replica import CONNECT_TIMEOUT, Replica
from asm_core.sql.schema.migrator import check_text_search, check_version, check_wanted, migrate, schema_version
from asm_core.sql.sqlite.file import SQLiteFile
from asm_core.sql.urls import dialect_of, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class SQLBackend(Backend):
    """A backend whose ports use one `Database`. Safe to share between threads.

    After a fork, the child uses its own connections. Fork only while no other thread is in a transaction.
    """

    capabilities = frozenset(Capability)

    def __init__(self, database: Database[Any], *, migrate: bool | int) -> None:
        """Use `database`.

        Args:
            database: the source of connections.
            migrate: upgrade the schema first; a number: migrate up or down to that version.

        Raises:
            MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        """
        self._database = database
        database.backend_name = self.name
        self._replica: Replica | None = None
        try:
            self._replica = self._replica_of(database)
            self._start(migrate=migrate)
        except BaseException:
            self.close()
            raise
        follows = database.options is not None and database.options.follow_replica
        self.session_store = SQLSessionStore(database, lagging=self._replica if follows else None)
        self.query_api = SQLQueryAPI(database, self._replica)
        self.maintenance = Maintenance(SQLRetentionStore(database, self._replica))
        self.artifact_registry = SQLArtifactRegistry(database)
        self.state_store = SQLStateStore(database)

    @classmethod
    def open(cls, url: str, /, *, migrate: bool | int = False, **options: Any) -> Self:
        """Open the database at `url`, with the backend's own connections.

        Args:
            url: ``sqlite:///path`` or ``postgresql://user@host/database``.
            migrate: create a missing file, and migrate the schema to the newest version, or to this one.
            options: the options of `SQLiteOptions` or `PostgreSQLOptions`.

        Raises:
            ValidationError: the url or an option is invalid.
            StorageConnectionError: the file does not exist, and `migrate` is not set.
            DependencyNotAvailableError: the driver is not installed.
        """
        dialect, partitions = dialect_of(url, backend=cls.name), options.get("partitions")
        # What cannot be done is refused before anything is created or changed.
        check_wanted(None if isinstance(migrate, bool) else migrate, partitions, dialect)
        if dialect is Dialect.POSTGRESQL:
            return cls(cls._on_server(url, chosen(PostgreSQLOptions, options, backend=cls.name)), migrate=migrate)
        chosen_options = chosen(SQLiteOptions, options, backend=cls.name)
        return cls(
            cls._on_file(SQLiteFile(sqlite_path(url), chosen_options, create=migrate is not False)), migrate=migrate
        )

    @property
    def connections(self) -> int:
        """The number of connections: those for reading and the one for writing on SQLite, the pool on PostgreSQL."""
        return self._database.connections

    @property
    def dialect(self) -> Dialect:
        """The SQL dialect of the database."""
        dialect: Dialect = self._database.words.dialect
        return dialect

    @contextmanager
    def transaction(self) -> Iterator[Ports]:
        """Yield the ports of one transaction."""
        with self._database.transaction() as database:
            yield SQLPorts(database, self.session_store)

    def bind(self, connection: Any) -> AbstractContextManager[Ports]:
        """Return a context that yields ports in the application's transaction on `connection`."""
        return self._bind(self._joining(connection))

    def migrate(
        self, version: int | None = None, *, partitions: int | None = None, text_search: bool | None = None
    ) -> list[int]:
        """Migrate the schema to `version`, up or down, partition it, and index texts; other migrations wait."""
        database = self._database
        check_text_search(text_search, version)
        with database.write() as connection:
            database.check_encoding(connection)
            applied = migrate(connection.execute_sql, database.words, version, partitions)
        self._survey()
        if text_search:
            database.texts.build()
        elif text_search is not None:
            database.texts.remove()
        return applied

    def schema_version(self) -> int:
        """Return the version of the schema."""
        with self._database.read() as connection:
            self._database.check_encoding(connection)
            return schema_version(connection.execute_sql, self._database.words)

    def text_index(self) -> TextIndex:
        """Return whether the store has an index of texts."""
        return self._database.texts.state()

    def close(self) -> None:
        """Close the connections, if the backend opened them itself."""
        if self._replica is not None:
            self._replica.close()
        self._database.close()

    def _survey(self) -> None:
        self._database.survey()
        missing = set() if self._database.has_global_ids else {Capability.GLOBAL_EVENT_IDS}
        self.capabilities = type(self).capabilities - missing

    def _start(self, *, migrate: bool | int) -> None:
        options, replica = self._database.options, self._replica
        if migrate is False:
            check_version(self.schema_version(), store="The database")
            self._survey()
        else:
            if replica is not None:
                replica.check_before_migration()
            partitions = None if options is None else options.partitions
            self.migrate(None if migrate is True else migrate, partitions=partitions)
        if replica is not None:
            replica.open()

    @classmethod
    def _replica_of(cls, primary: Database[Any]) -> Replica | None:
        options = primary.options
        if options is None or options.read_url is None:
            return None
        if dialect_of(options.read_url, backend=cls.name) is not Dialect.POSTGRESQL:
            message = "read_url must be the postgresql:// url of a replica of the database at url."
            raise ValidationError(message)
        timeout = min(options.connect_timeout, CONNECT_TIMEOUT)
        alone = replace(options, read_url=None, follow_replica=False, connect_timeout=timeout)
        server = cls._on_server(options.read_url, alone)
        return Replica(primary, server if isinstance(server, Database) else server.store())

    @contextmanager
    def _bind(self, connect: Callable[[], Any]) -> Iterator[Ports]:
        with self._database.bind(connect) as database:
            yield SQLPorts(database, self.session_store)

    @abstractmethod
    def _joining(self, connection: Any) -> Callable[[], Any]:
        """Check the argument of `bind`, and return what makes a `SQLConnection` of it; neither takes anything.

        Raises:
            ValidationError: it is of another kind or dialect, or has no transaction.
        """

    @classmethod
    @abstractmethod
    def _on_file(cls, file: SQLiteFile) -> Any:
        """Return the argument of `__init__` for the backend's own connections to a SQLite file."""

    @classmethod
    @abstractmethod
    def _on_server(cls, url: str, options: PostgreSQLOptions) -> Any:
        """Return the argument of `__init__` for the backend's own connections to a PostgreSQL server.

        It is a `Database`, or has a method `store` that returns one.
        """
