"""Migration of the schema. The caller holds a transaction that excludes other migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from asm_core import logs
from asm_core.errors import MigrationRequiredError, ValidationError, short_repr
from asm_core.sql.dialects import Dialect
from asm_core.sql.queries.words import words_of
from asm_core.sql.schema.migrations import MIGRATIONS
from asm_core.sql.schema.named import check_schema, creation, exists
from asm_core.sql.schema.partitions import DROPPED, check_partitions, partition
from asm_core.sql.text_search import postgresql_schema, sqlite_schema

if TYPE_CHECKING:
    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words
    from asm_core.sql.schema.migrations.migration import Migration

LATEST_VERSION: Final = MIGRATIONS[-1].version

_BOOKKEEPING: Final = {
    Dialect.SQLITE: """\
CREATE TABLE IF NOT EXISTS {migrations} (
    version INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL
) STRICT""",
    Dialect.POSTGRESQL: """\
CREATE TABLE IF NOT EXISTS {migrations} (
    version bigint NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    applied_at timestamptz NOT NULL
)""",
}
_TABLE_EXISTS: Final = {
    Dialect.SQLITE: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'asm_schema_migrations'",
    Dialect.POSTGRESQL: "SELECT 1 WHERE to_regclass('{migrations}') IS NOT NULL",
}
_LOCK: Final = "SELECT pg_advisory_xact_lock(7237973420)"
"""Serialises migrations on PostgreSQL; on SQLite the caller's write transaction does. The number is arbitrary."""

_DROPPED: Final = {Dialect.SQLITE: sqlite_schema.DROPPED, Dialect.POSTGRESQL: (*DROPPED, *postgresql_schema.DROPPED)}
"""What removes the additions to a store after its tables."""
_NOW: Final = {Dialect.SQLITE: "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')", Dialect.POSTGRESQL: "now()"}


def schema_version(execute: Execute, words: Words) -> int:
    """Return the version of the schema; 0 if there is none."""
    if not execute(_TABLE_EXISTS[words.dialect].format(**words.tables)).fetchall():
        return 0
    version: int = execute(f"SELECT COALESCE(MAX(m.version), 0) FROM {words.migrations} m").fetchall()[0][0]
    return version


def migrate(execute: Execute, words: Words, version: int | None = None, partitions: int | None = None) -> list[int]:
    """Migrate the schema to `version` (None: the newest); return the applied versions, in order.

    Args:
        execute: executes a statement.
        words: the dialect and the schema; a named schema is created if it does not exist.
        version: the target version.
        partitions: then partition runs and events into this number of tables.

    Raises:
        ValidationError: unknown version, or the store cannot have these partitions.
        MigrationRequiredError: the schema is newer than this version of asm-core; nothing is changed.
    """
    target = check_wanted(version, partitions, words.dialect)
    if words.dialect is Dialect.POSTGRESQL:
        execute(_LOCK).fetchall()
    current = schema_version(execute, words)
    _refuse_newer(current)
    if target != current:
        if words.schema is not None and not exists(execute, words.schema):
            execute(creation(words.schema))
        logs.info("schema", "migrating schema", from_version=current, to_version=target)
        for statement in _ddl(words, current, target):
            execute(statement)
    if partitions is not None:
        partition(execute, words, partitions)
    return [migration.version for migration in steps(current, target)]


def check_wanted(version: int | None, partitions: int | None, dialect: Dialect) -> int:
    """Return the version to migrate to, if the arguments of `migrate` are possible in this dialect.

    Raises:
        ValidationError: unknown version, or it cannot have these partitions.
    """
    target = check_target(LATEST_VERSION if version is None else version)
    if partitions is not None:
        check_partitions(partitions, dialect)
        if target != LATEST_VERSION:
            message = f"Only the newest schema, {LATEST_VERSION}, can be partitioned, not version {target}."
            raise ValidationError(message)
    return target


def check_text_search(value: object, version: int | None) -> None:
    """Check whether texts can be indexed, or the index removed, with a migration to `version`.

    Raises:
        ValidationError: the value is not None or a boolean, or the version is not the newest.
    """
    if value is not None and not isinstance(value, bool):
        message = f"text_search must be True, False or None, not {short_repr(value)}."
        raise ValidationError(message)
    if value is not None and version not in {None, LATEST_VERSION}:
        message = f"Only the newest schema, {LATEST_VERSION}, can have a text index, not version {short_repr(version)}."
        raise ValidationError(message)


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
    if dialect not in list(Dialect):
        message = f"Unknown dialect: {short_repr(dialect)}. Known dialects: {', '.join(Dialect)}."
        raise ValidationError(message)
    if schema is not None and dialect == Dialect.SQLITE:
        message = "SQLite has no schemas. Name one for postgresql only."
        raise ValidationError(message)
    words = words_of(Dialect(dialect), None if schema is None else check_schema(schema))
    statements = _ddl(words, check_target(start), check_target(LATEST_VERSION if stop is None else stop))
    return statements if schema is None or start or not statements else [creation(schema), *statements]


def _ddl(words: Words, start: int, stop: int) -> list[str]:
    found, dialect = steps(start, stop), words.dialect
    if stop >= start:
        texts = [] if start or not found else [_BOOKKEEPING[dialect]]
        texts += [text for step in found for text in (*step.up[dialect], _entry(step, dialect))]
    else:
        texts = [text for step in found for text in (*step.down[dialect], _removal(step))]
        texts += [] if stop else ["DROP TABLE {migrations}"]
        texts += _DROPPED[dialect] if not stop and found else []
    return [text.format(**words.tables, place=words.place) for text in texts]


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
        message = f"Unknown schema version: {short_repr(value)}. The versions are 0 to {LATEST_VERSION}."
        raise ValidationError(message)
    return value


def _entry(step: Migration, dialect: Dialect) -> str:
    columns = "version, name, applied_at"
    return f"INSERT INTO {{migrations}} ({columns}) VALUES ({step.version}, '{step.name}', {_NOW[dialect]})"


def _removal(step: Migration) -> str:
    return f"DELETE FROM {{migrations}} WHERE version = {step.version}"


def _refuse_newer(current: int) -> None:
    if current > LATEST_VERSION:
        message = f"The schema has version {current}, but this asm-core has version {LATEST_VERSION}. Upgrade asm-core."
        raise MigrationRequiredError(message, details={"current": current, "required": LATEST_VERSION})
