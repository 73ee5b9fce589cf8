"""The common part of SQL backends: tables, migrations, conversion of values, queries, and the append.

Nothing here opens a connection: a backend's connector provides the connections of its ORM, on which core executes its
statements.
"""

from asm_core.sql.backend import SQLBackend
from asm_core.sql.connection import SQLConnection
from asm_core.sql.connector import Connector
from asm_core.sql.database import Database
from asm_core.sql.dialects import Cursor, Dialect, Execute
from asm_core.sql.options import PostgreSQLOptions, SQLiteOptions
from asm_core.sql.rows.codec import Codec, codec_of
from asm_core.sql.schema.migrator import LATEST_VERSION, check_version, ddl, migrate, schema_version

__all__ = [
    "LATEST_VERSION",
    "Codec",
    "Connector",
    "Cursor",
    "Database",
    "Dialect",
    "Execute",
    "PostgreSQLOptions",
    "SQLBackend",
    "SQLConnection",
    "SQLiteOptions",
    "check_version",
    "codec_of",
    "ddl",
    "migrate",
    "schema_version",
]
