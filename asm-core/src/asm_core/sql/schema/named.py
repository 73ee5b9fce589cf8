"""Tables in a named PostgreSQL schema.

Every statement names the schema, by `Words`. Nothing is set in the session, which transaction poolers share between
clients.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from asm_core.sql.dialects import Execute

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def check_schema(name: object) -> str:
    """Return `name` if it is a valid schema name.

    Raises:
        ValidationError: it is not a name of at most 63 letters, digits and underscores.
    """
    if not isinstance(name, str) or not _PLAIN.fullmatch(name):
        message = f"schema must be a name of at most 63 letters, digits and underscores, not {short_repr(name)}."
        raise ValidationError(message)
    return name


def creation(schema: str) -> str:
    """Return the statement that creates a schema."""
    return f'CREATE SCHEMA IF NOT EXISTS "{schema}"'


def exists(execute: Execute, schema: str) -> bool:
    """Return whether the schema exists. A role that cannot create it may still use it."""
    return bool(execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchall())
