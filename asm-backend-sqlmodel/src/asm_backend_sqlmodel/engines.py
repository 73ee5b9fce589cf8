"""The part of a connector to the application's engine that does not depend on the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_backend_sqlmodel.connection import TableConnection, Variant
from asm_backend_sqlmodel.errors import TRANSLATED
from asm_core.concurrency.contexts import contextmanager
from asm_core.sql import Connector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


class EngineConnector(Connector[TableConnection]):
    """Provides connections of the application's engine, for single statements."""

    errors = TRANSLATED

    def __init__(self, engine: Engine) -> None:
        """Use an engine, its pool and its settings."""
        self._engine = engine
        self._autocommitting = Variant(engine, "AUTOCOMMIT")

    @contextmanager
    def statement(self) -> Iterator[TableConnection]:
        """Provide a connection of the pool."""
        with self._autocommitting.engine.connect() as connection:
            yield TableConnection(connection)

    def leave_to_parent(self) -> None:
        """Make the engine connect again."""
        self._engine.dispose(close=False)
