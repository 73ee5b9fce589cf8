"""Driver and ORM errors become errors of `asm_core.errors`, the cause kept."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import exc

from asm_core.sql import failures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asm_core import StorageError


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver or the ORM raises inside as a `StorageError`."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, exc.SQLAlchemyError) and not failures.is_of_a_driver(error):
            raise
        raise _translate(error) from error


def _translate(error: Exception) -> StorageError:
    match error:
        case exc.TimeoutError():
            return failures.exhausted()
        case exc.PendingRollbackError():
            return failures.undone()
        case exc.DBAPIError(orig=BaseException() as cause):
            return failures.translate(cause, is_lost=error.connection_invalidated)
    return failures.translate(error)
