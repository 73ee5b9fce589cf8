"""The tables in a named schema of PostgreSQL, beside an application's own.

Every statement names the schema: nothing is set in the session, which poolers share out by transaction.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from asm_core.errors import ValidationError, shown

if TYPE_CHECKING:
    from asm_core.sql.dialects import Execute

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_TABLE: Final = re.compile(r'(?<!")\basm_(?:sessions|runs|events|session_sequences|artifacts|schema_migrations)\b')


def check_schema(name: object) -> str:
    """Return `name` if it can be that of a schema.

    Raises:
        ValidationError: it is none, or not of letters, digits and underscores, 63 at the most.
    """
    if not isinstance(name, str) or not _PLAIN.fullmatch(name):
        message = f"schema must be a name of letters, digits and underscores, 63 at the most, not {shown(name)}."
        raise ValidationError(message)
    return name


@lru_cache(maxsize=256)
def qualified(sql: str, schema: str) -> str:
    """Return a statement of core's own with its tables in `schema`, which `check_schema` let pass."""
    return _TABLE.sub(lambda found: f'"{schema}".{found[0]}', sql)


def creation(schema: str) -> str:
    """Return the statement that makes a schema."""
    return f'CREATE SCHEMA IF NOT EXISTS "{schema}"'


def exists(execute: Execute, schema: str) -> bool:
    """Return whether there is such a schema. Who may not make one may still use it."""
    return bool(execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchall())
