"""Driver and ORM errors become errors of `asm_core.errors`, the cause kept."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from peewee import PeeweeException
from playhouse.pool import MaxConnectionsExceeded

from asm_core import StorageError
from asm_core.sql import failures

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the driver or the ORM raises inside as a `StorageError`."""
    try:
        yield
    except MaxConnectionsExceeded as error:
        raise failures.exhausted() from error
    except Exception as error:
        cause = getattr(error, "orig", error)
        if failures.is_of_a_driver(cause):
            raise failures.translate(cause) from cause
        if isinstance(error, PeeweeException):
            message = f"The database failed: {type(error).__name__}: {error}."
            raise StorageError(message) from error
        raise
