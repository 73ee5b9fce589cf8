"""Migration of the schema. The caller holds a transaction that excludes other migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core.errors import MigrationRequiredError, ValidationError, shown
from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.migrations import MIGRATIONS
from asm_core.sql.schema.named import check_schema, creation, exists, qualified

if TYPE_CHECKING:
    from asm_core.sql.dialects import Execute
    from asm_core.sql.schema.migrations.migration import Migration

LATEST_VERSION: Final = MIGRATIONS[-1].version

_BOOKKEEPING: Final = {
    Dialect.SQLITE: """\
CREATE TABLE IF NOT EXISTS asm_schema_migrations (
    version INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL
) STRICT""",
    Dialect.POSTGRESQL: """\
CREATE TABLE IF NOT EXISTS asm_schema_migrations (
    version bigint NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    applied_at timestamptz NOT NULL
)""",
}
_TABLE_EXISTS: Final = {
    Dialect.SQLITE: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'asm_schema_migrations'",
    Dialect.POSTGRESQL: "SELECT 1 WHERE to_regclass('asm_schema_migrations') IS NOT NULL",
}
_LOCK: Final = "SELECT pg_advisory_xact_lock(7237973420)"
"""Serialises migrations on PostgreSQL; on SQLite the caller's write transaction does. The number is arbitrary."""

_NOW: Final = {Dialect.SQLITE: "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')", Dialect.POSTGRESQL: "now()"}


def schema_version(execute: Execute, dialect: Dialect) -> int:
    """Return the version of the schema; 0 if there is none."""
    if not execute(_TABLE_EXISTS[dialect]).fetchall():
        return 0
    version: int = execute("SELECT COALESCE(MAX(version), 0) FROM asm_schema_migrations").fetchall()[0][0]
    return version


def migrate(execute: Execute, dialect: Dialect, version: int | None = None, *, schema: str | None = None) -> list[int]:
    """Migrate the schema to `version` (None: the newest); return the applied versions, in order.

    Args:
        execute: executes a statement, with the tables in `schema` if that is given.
        dialect: the dialect of the database.
        version: the target version.
        schema: the named schema, which is created if it does not exist.

    Raises:
        ValidationError: unknown version.
        MigrationRequiredError: the schema is newer than this version of asm-core; nothing is changed.
    """
    target = check_target(LATEST_VERSION if version is None else version)
    if dialect == Dialect.POSTGRESQL:
        execute(_LOCK).fetchall()
    current = schema_version(execute, dialect)
    _refuse_newer(current)
    if target == current:
        return []
    if schema is not None and not exists(execute, schema):
        execute(creation(schema))
    for statement in ddl(dialect, start=current, stop=target):
        execute(statement)
    return [migration.version for migration in steps(current, target)]


def steps(start: int, stop: int) -> list[Migration]:
    """Return the migrations between two versions, in the order of their application."""
    if stop >= start:
        return [migration for migration in MIGRATIONS if start < migration.version <= stop]
    return [migration for migration in reversed(MIGRATIONS) if stop < migration.version <= start]


def ddl(dialect: Dialect | str, *, start: int = 0, stop: int | None = None, schema: str | None = None) -> list[str]:
    """Return the statements that migrate from one version to another, up or down; `migrate` executes them.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
        start: the start version; 0 is an empty database.
        stop: the target version; None is the newest.
        schema: the PostgreSQL schema of the tables; None: that of the connection.

    Raises:
        ValidationError: the dialect or a version is unknown, or the schema name is invalid.
    """
    if schema is None:
        return _ddl(dialect, start, stop)
    if dialect == Dialect.SQLITE:
        message = "SQLite has no schemas. Name one for postgresql only."
        raise ValidationError(message)
    name = check_schema(schema)
    statements = [qualified(statement, name) for statement in _ddl(dialect, start, stop)]
    return statements if start or not statements else [creation(name), *statements]


def _ddl(dialect: Dialect | str, start: int, stop: int | None) -> list[str]:
    if dialect not in list(Dialect):
        message = f"Unknown dialect: {shown(dialect)}. Known dialects: {', '.join(Dialect)}."
        raise ValidationError(message)
    dialect, start = Dialect(dialect), check_target(start)
    stop = check_target(LATEST_VERSION if stop is None else stop)
    found = steps(start, stop)
    if stop >= start:
        begin = [] if start or not found else [_BOOKKEEPING[dialect]]
        return begin + [statement for step in found for statement in (*step.up[dialect], _entry(step, dialect))]
    end = [] if stop else ["DROP TABLE asm_schema_migrations"]
    return [statement for step in found for statement in (*step.down[dialect], _removal(step))] + end


def check_version(current: int, *, store: str) -> None:
    """Check that the schema has the newest version.

    Args:
        current: the version of the schema.
        store: the name of the store in a message.

    Raises:
        MigrationRequiredError: the schema is older or newer.
    """
    _refuse_newer(current)
    if current < LATEST_VERSION:
        message = (
            f"{store} has schema version {current}, but this program needs {LATEST_VERSION}. Run `asm db upgrade`, or "
            "open the store with migrate=True."
        )
        raise MigrationRequiredError(message, details={"current": current, "required": LATEST_VERSION})


def check_target(value: object) -> int:
    """Return `value` if it is a known version of the schema, or 0.

    Raises:
        ValidationError: unknown version.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LATEST_VERSION:
        message = f"Unknown schema version: {shown(value)}. The versions are 0 to {LATEST_VERSION}."
        raise ValidationError(message)
    return value


def _entry(step: Migration, dialect: Dialect) -> str:
    columns = "version, name, applied_at"
    return f"INSERT INTO asm_schema_migrations ({columns}) VALUES ({step.version}, '{step.name}', {_NOW[dialect]})"


def _removal(step: Migration) -> str:
    return f"DELETE FROM asm_schema_migrations WHERE version = {step.version}"


def _refuse_newer(current: int) -> None:
    if current > LATEST_VERSION:
        message = f"The schema has version {current}, but this asm-core has version {LATEST_VERSION}. Upgrade asm-core."
        raise MigrationRequiredError(message, details={"current": current, "required": LATEST_VERSION})
