"""The SQLModel backend."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.orm import Session as OrmSession

from asm_backend_sqlmodel import postgresql, sqlite
from asm_backend_sqlmodel.artifact_registry import SQLModelArtifactRegistry
from asm_backend_sqlmodel.database import Database
from asm_backend_sqlmodel.errors import translated
from asm_backend_sqlmodel.maintenance import SQLModelMaintenance
from asm_backend_sqlmodel.options import PostgreSQLOptions, SQLiteOptions
from asm_backend_sqlmodel.plugin import CAPABILITIES
from asm_backend_sqlmodel.postgresql import parsed
from asm_backend_sqlmodel.query_api import SQLModelQueryAPI
from asm_backend_sqlmodel.session_store import SQLModelSessionStore
from asm_core import Backend, Capability, ValidationError
from asm_core.sql import Dialect, check_schema, check_version, migrate, schema_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


T = TypeVar("T")


class SQLModelBackend(Backend):
    """The four ports on SQLModel and SQLAlchemy. Safe to share between threads.

    After a fork the child works on connections of its own; fork while no other thread is in a transaction.
    """

    name = "sqlmodel"
    capabilities: ClassVar[frozenset[Capability]] = CAPABILITIES

    def __init__(self, engine: Engine | Database, *, migrate: bool | int = False, schema: str | None = None) -> None:
        """Use an engine of the application's, with its pool and its settings; it is not closed.

        Args:
            engine: the application's; or what `open` opened.
            migrate: bring the schema up to date first; a number: up or down to that version.
            schema: the schema of PostgreSQL in which the tables stand; None: the one that a connection has, or that
                the engine's ``schema_translate_map`` gives for None.

        Raises:
            MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        """
        database = engine if isinstance(engine, Database) else _on(engine, schema)
        self._database = database
        self.session_store = SQLModelSessionStore(database)
        self.query_api = SQLModelQueryAPI(database)
        self.maintenance = SQLModelMaintenance(database)
        self.artifact_registry = SQLModelArtifactRegistry(database)
        if migrate is False:
            check_version(self.schema_version(), store="The database")
        else:
            self.migrate(None if migrate is True else migrate)

    @classmethod
    def open(cls, url: str, *, migrate: bool | int = False, **options: Any) -> Self:
        """Open a database at `url`, with connections of its own; `options` are those of its kind of database."""
        place = parsed(url)
        database: Database
        if place.get_backend_name() == Dialect.POSTGRESQL:
            database = postgresql.open_database(place, _made(PostgreSQLOptions, options))
        else:
            database = sqlite.open_database(url, _made(SQLiteOptions, options), create=migrate is not False)
        try:
            return cls(database, migrate=migrate)
        except BaseException:
            database.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one atomic unit of what the ports do inside, in this thread."""
        with self._database.unit():
            yield

    @contextmanager
    def bind(self, connection: Connection | OrmSession) -> Iterator[None]:
        """Let the ports, in this thread, work inside the transaction of a SQLModel ``Session`` or a ``Connection``."""
        if isinstance(connection, OrmSession):
            with translated():
                connection = connection.connection()
        if not isinstance(connection, Connection):
            message = f"bind() takes a SQLModel Session or a SQLAlchemy Connection, not a {type(connection).__name__}."
            raise ValidationError(message)
        with self._database.bind(connection):
            yield

    def migrate(self, version: int | None = None) -> list[int]:
        """Bring the schema to `version`, up or down; other processes that do so wait for this one."""
        with self._database.write() as connection:
            database = self._database
            return migrate(connection.execute_sql, database.dialect, version, schema=database.schema)

    def schema_version(self) -> int:
        """Return the version of the schema."""
        with self._database.read() as connection:
            return schema_version(connection.execute_sql, self._database.dialect)

    def close(self) -> None:
        """Close the connections, if the backend opened them itself."""
        self._database.close()


def _on(engine: Engine, schema: str | None) -> Database:
    dialect = engine.dialect.name
    if dialect not in list(Dialect):
        message = f"The sqlmodel backend runs on SQLite and PostgreSQL, not on {dialect}."
        raise ValidationError(message)
    if schema is None:
        schema = engine.get_execution_options().get("schema_translate_map", {}).get(None)
    if dialect == Dialect.POSTGRESQL:
        return postgresql.PostgreSQLDatabase(engine, schema=None if schema is None else check_schema(schema))
    if schema is not None:
        message = f"SQLite has no schemas, so that the tables cannot stand in {schema!r}."
        raise ValidationError(message)
    return sqlite.SQLiteDatabase(engine)


def _made(kind: type[T], options: dict[str, Any]) -> T:
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            message = f"The backend 'sqlmodel' has no option {option!r} for this database. It has: {', '.join(known)}."
            raise ValidationError(message)
    return kind(**options)
