"""The SQLModel backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_backend_sqlmodel.database import joining, on_engine
from asm_backend_sqlmodel.postgresql import open_server
from asm_backend_sqlmodel.sqlite import open_file
from asm_core.sql import Database, SQLBackend
from asm_core.sql.options import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session as OrmSession

    from asm_backend_sqlmodel.connection import TableConnection
    from asm_core import Ports


class SQLModelBackend(SQLBackend):
    """The four ports on SQLModel and SQLAlchemy. Safe to share between threads."""

    name = "sqlmodel"
    _on_file = staticmethod(open_file)
    _on_server = staticmethod(open_server)

    def __init__(
        self,
        engine: Engine | Database[TableConnection],
        *,
        migrate: bool | int = False,
        schema: str | None = None,
        notify: bool = False,
        append: str = AUTO,
    ) -> None:
        """Use the application's engine, with its pool and its settings; it is not closed.

        Args:
            engine: the application's engine; or the result of `open`.
            migrate: upgrade the schema first; a number: migrate up or down to that version.
            schema: the PostgreSQL schema of the tables; None: that of the connection, or of the engine's
                ``schema_translate_map`` for None.
            notify: have PostgreSQL send a notification of each append. While a caller waits for events, one more
                connection, which is not the pool's but opened in the same way, listens for them.
            append: ``plain`` appends on PostgreSQL with an UPDATE and an INSERT for each session; ``auto`` does so on a
                distributed table only.

        Raises:
            MigrationRequiredError: the schema is not the newest, and `migrate` is not set.
        """
        database = engine if isinstance(engine, Database) else on_engine(engine, schema, notify=notify, append=append)
        super().__init__(database, migrate=migrate)

    def bind(self, connection: Connection | OrmSession) -> AbstractContextManager[Ports]:
        """Return a context that yields ports in the transaction of a SQLModel ``Session`` or a ``Connection``."""
        return super().bind(connection)

    def _joining(self, connection: Any) -> Callable[[], TableConnection]:
        return joining(connection, self._database.words.dialect)
