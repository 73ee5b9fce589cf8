"""Translation of driver and ORM errors to `asm_core.errors`, with the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import exc

from asm_core.sql import failures

if TYPE_CHECKING:
    from asm_core import StorageError


def _translate(error: Exception) -> StorageError | None:
    match error:
        case exc.TimeoutError():
            return failures.exhausted()
        case exc.PendingRollbackError():
            return failures.undone()
        case exc.DBAPIError(orig=BaseException() as cause):
            return failures.translate(cause, is_lost=error.connection_invalidated)
    if isinstance(error, exc.SQLAlchemyError) or failures.is_of_a_driver(error):
        return failures.translate(error)
    return None


TRANSLATED: Final = failures.Translating(_translate)
"""A context manager that translates errors of the driver and the ORM to `StorageError`."""
