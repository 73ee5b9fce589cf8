"""SQLite files that the backend opens itself, with Peewee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import SqliteDatabase

from asm_backend_peewee.connection import TableConnection
from asm_backend_peewee.errors import TRANSLATED
from asm_core.sql.sqlite.connections import FileConnections
from asm_core.sql.sqlite.database import SQLite

if TYPE_CHECKING:
    from asm_core.sql.sqlite.file import SQLiteFile


class FileDatabase(SqliteDatabase):
    """A file whose connections core opens; the models query it from any thread."""

    def __init__(self, file: SQLiteFile, *, thread_safe: bool | None = None) -> None:
        """Start without a connection; a database in memory has one connection for all threads."""
        self.file = file
        super().__init__(file.path, thread_safe=not file.in_memory if thread_safe is None else thread_safe)

    def store(self) -> SQLite[TableConnection]:
        """Return core's database, on core's pool."""
        return SQLite(FileConnections(self.file, self._open, TRANSLATED), self.file)

    def _open(self) -> TableConnection:
        # One Peewee database for each connection, without a lock and without a connection for each thread.
        database = self if self.file.in_memory else FileDatabase(self.file, thread_safe=False)
        database.connect(reuse_if_open=True)
        return TableConnection(database)

    def _connect(self) -> Any:
        connection = self.file.connect()
        self._add_conn_hooks(connection)  # type: ignore[attr-defined]  # not in the stubs
        return connection
