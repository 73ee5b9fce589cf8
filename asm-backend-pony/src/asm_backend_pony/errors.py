"""Translation of Pony's and the drivers' errors to `asm_core.errors`."""

from __future__ import annotations

from typing import Final

from pony.orm.core import OrmError
from pony.orm.dbapiprovider import DBException

from asm_core.errors import StorageError
from asm_core.sql.failures import Translating, is_of_a_driver, translate, undone


def _translate(error: Exception) -> StorageError | None:
    if isinstance(error, (OrmError, DBException)):
        cause = _of_the_driver(error)
        if cause is None:
            return StorageError(f"Pony rejected the operation: {error}.")
        translation = _translation(cause)
        translation.__cause__ = cause
        return translation
    return _translation(error) if is_of_a_driver(error) else None


def _translation(error: BaseException) -> StorageError:
    kind = type(error)
    if kind.__module__ == "psycopg2" and kind.__name__ == "InterfaceError":
        return undone()  # the connection was already lost, with its transaction
    # psycopg2 reports only this when a server stops immediately.
    return translate(error, is_lost=kind.__module__ == "psycopg2" and kind.__name__ == "DatabaseError")


def _of_the_driver(error: BaseException) -> BaseException | None:
    """Return the driver's error inside one of Pony's."""
    inner = getattr(error, "original_exc", None)
    if inner is None:
        several = getattr(error, "exceptions", None)  # of a commit: triples of type, error and traceback
        inner = several[0][1] if several else None
    if inner is None or is_of_a_driver(inner):
        return inner
    return _of_the_driver(inner)


TRANSLATED: Final = Translating(_translate)
"""A context manager that translates errors of Pony and the driver to `StorageError`, with the driver's as cause."""
