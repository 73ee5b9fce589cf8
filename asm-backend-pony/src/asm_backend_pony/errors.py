"""What Pony and the drivers raise, as errors of the design."""

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
            return StorageError(f"Pony refused: {error}.")
        translation = _translation(cause)
        translation.__cause__ = cause
        return translation
    return _translation(error) if is_of_a_driver(error) else None


def _translation(error: BaseException) -> StorageError:
    kind = type(error)
    if kind.__module__ == "psycopg2" and kind.__name__ == "InterfaceError":
        return undone()  # the connection was found lost before, and its transaction is gone
    # Of a server that ends at once psycopg2 says no more than that.
    return translate(error, is_lost=kind.__module__ == "psycopg2" and kind.__name__ == "DatabaseError")


def _of_the_driver(error: BaseException) -> BaseException | None:
    """Return the driver's error inside one of Pony's."""
    inner = getattr(error, "original_exc", None)
    if inner is None:
        several = getattr(error, "exceptions", None)  # of a commit: triples of kind, error and trace
        inner = several[0][1] if several else None
    if inner is None or is_of_a_driver(inner):
        return inner
    return _of_the_driver(inner)


TRANSLATED: Final = Translating(_translate)
"""Raises what is raised inside by Pony or a driver as a `StorageError`, the driver's error its cause."""
