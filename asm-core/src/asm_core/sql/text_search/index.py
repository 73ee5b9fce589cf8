"""The index of texts of one database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from asm_core.errors import StorageError

if TYPE_CHECKING:
    from asm_core.ports import TextIndex
    from asm_core.querying.text_search import TextSearch
    from asm_core.sql.database import Database
    from asm_core.sql.queries.where import Statement


MOST: Final = 4_000
"""The most candidates that are read and sorted. Where more events have the words, a page is soon full without."""


class Texts(ABC):
    """Builds, removes and asks the index of texts of a database."""

    def __init__(self, database: Database[Any]) -> None:
        """Use the connections of `database`."""
        self._database = database

    def check_alone(self) -> None:
        """Check that no transaction is open: an index is built and removed in transactions of its own.

        Raises:
            StorageError: one is open.
        """
        if self._database.is_joined():
            message = "A text index cannot be built or removed in a transaction. Call migrate() after it ends."
            raise StorageError(message)

    @abstractmethod
    def state(self) -> TextIndex:
        """Return whether there is an index, and whether it has all events."""

    @abstractmethod
    def build(self) -> None:
        """Build the index, or complete it, while other calls continue; a complete one is left alone."""

    @abstractmethod
    def remove(self) -> None:
        """Remove the index, if there is one."""

    @abstractmethod
    def candidates(self, search: TextSearch) -> Statement | None:
        """Return the table ``e`` of the events that may match; None: the search is to read all events."""

    @abstractmethod
    def faults(self) -> list[str]:
        """Return what is wrong with the index, for a health check."""
