"""SQLite: files that the backend opens itself, and Pony's connections to one of the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pony.orm import db_session

from asm_backend_pony.connection import PonyConnection, SessionConnection, in_session
from asm_backend_pony.errors import TRANSLATED
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql.sqlite.database import SQLite, SQLiteConnections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pony.orm import Database as PonyDatabase

    from asm_core.sql.sqlite.file import SQLiteFile


class OwnSQLite(SQLiteConnections[PonyConnection]):
    """A file, on connections of the backend's own."""

    _translated = TRANSLATED

    def __init__(self, file: SQLiteFile) -> None:
        """Open `file`."""
        super().__init__(file, alone=file.in_memory)
        self._connect_directly = file.connect

    def _connect(self) -> PonyConnection:
        driver = self._connect_directly()
        return PonyConnection(driver, give_back=driver.close)

    def _begin(self, connection: PonyConnection) -> None:
        connection.begin()


class SessionSQLite(SQLite[PonyConnection]):
    """An application's Pony database: in its `db_session` the ports join it, outside each call has one of its own."""

    _translated = TRANSLATED

    def __init__(self, database: PonyDatabase) -> None:
        """Use `database`."""
        super().__init__()
        self._connection = SessionConnection(database)

    def _caller(self) -> PonyConnection | None:
        return self._connection if in_session() else None

    @contextmanager
    def _reading(self) -> Iterator[PonyConnection]:
        with db_session:
            yield self._connection

    @contextmanager
    def _transaction(self) -> Iterator[PonyConnection]:
        with db_session:
            self._connection.begin()
            yield self._connection

    def _begin(self, connection: PonyConnection) -> None:
        connection.begin()

    def _abandon(self) -> None:
        """Pony connects anew in a forked child."""
