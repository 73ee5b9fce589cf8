"""SQLite files that the backend opens itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_backend_pony.connection import TableConnection
from asm_backend_pony.errors import TRANSLATED
from asm_core.sql.sqlite.connections import FileConnections
from asm_core.sql.sqlite.database import SQLite

if TYPE_CHECKING:
    from asm_core.sql.sqlite.file import SQLiteFile


def open_file(file: SQLiteFile) -> SQLite[TableConnection]:
    """Open a database with the backend's own connections, in core's pool."""
    return SQLite(FileConnections(file, lambda: TableConnection(file.connect()), TRANSLATED), file)
