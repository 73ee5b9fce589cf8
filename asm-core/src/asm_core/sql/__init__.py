"""The common part of SQL backends: tables, migrations, conversion of values, queries, and the append.

Nothing here opens a connection: a backend's connector provides the connections of its ORM, on which core executes its
statements.
"""

from asm_core.sql.backend import SQLBackend
from asm_core.sql.codec import Codec, codec_of
from asm_core.sql.connection import SQLConnection
from asm_core.sql.connector import Connector
from asm_core.sql.database import Database
from asm_core.sql.dialects import Cursor, Dialect, Execute
from asm_core.sql.options import PostgreSQLOptions, SQLiteOptions, chosen
from asm_core.sql.ports.artifact_registry import SQLArtifactRegistry
from asm_core.sql.ports.query_api import SQLQueryAPI
from asm_core.sql.ports.reader import SQLReader
from asm_core.sql.ports.retention_store import SQLRetentionStore
from asm_core.sql.ports.session_store import SQLSessionStore
from asm_core.sql.postgresql.append import is_collision
from asm_core.sql.queries import Statement
from asm_core.sql.queries.integrity import find_faults
from asm_core.sql.queries.tags import TagClauses, clause_parts, tag_clauses, tag_list
from asm_core.sql.queries.words import Words, words_of
from asm_core.sql.schema.migrator import LATEST_VERSION, check_version, ddl, migrate, schema_version
from asm_core.sql.schema.named import check_schema
from asm_core.sql.sqlite.append import append_events, restore_events

__all__ = [
    "LATEST_VERSION",
    "Codec",
    "Connector",
    "Cursor",
    "Database",
    "Dialect",
    "Execute",
    "PostgreSQLOptions",
    "SQLArtifactRegistry",
    "SQLBackend",
    "SQLConnection",
    "SQLQueryAPI",
    "SQLReader",
    "SQLRetentionStore",
    "SQLSessionStore",
    "SQLiteOptions",
    "Statement",
    "TagClauses",
    "Words",
    "append_events",
    "check_schema",
    "check_version",
    "chosen",
    "clause_parts",
    "codec_of",
    "ddl",
    "find_faults",
    "is_collision",
    "migrate",
    "restore_events",
    "schema_version",
    "tag_clauses",
    "tag_list",
    "words_of",
]
