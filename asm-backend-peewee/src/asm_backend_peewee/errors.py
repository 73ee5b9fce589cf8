"""Translation of driver and ORM errors to `asm_core.errors`, with the cause."""

from __future__ import annotations

from typing import Final

from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from asm_core import StorageError
from asm_core.sql import failures


def _translate(error: Exception) -> StorageError | None:
    if isinstance(error, MaxConnectionsExceeded):
        return failures.exhausted()
    cause = getattr(error, "orig", error)
    if failures.is_of_a_driver(cause):
        translation = failures.translate(cause)
        translation.__cause__ = cause
        return translation
    if isinstance(error, PeeweeException):
        return StorageError(f"The database failed: {type(error).__name__}: {error}.")
    return None


TRANSLATED: Final = failures.Translating(_translate)
"""A context manager that translates errors of the driver and the ORM to `StorageError`."""
