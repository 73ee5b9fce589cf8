"""The text index on PostgreSQL: there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.errors import ValidationError
from asm_core.ports import TextIndex
from asm_core.sql.text_search.index import Texts

if TYPE_CHECKING:
    from asm_core.querying.text_search import TextSearch
    from asm_core.sql.queries.where import Statement


class PostgreSQLTexts(Texts):
    """Has no index; a search reads all events."""

    def state(self) -> TextIndex:
        """Return that there is none."""
        return TextIndex.ABSENT

    def build(self) -> None:
        """Refuse to build one.

        Raises:
            ValidationError: always.
        """
        message = "A text index needs SQLite. Leave text_search out: a search finds the same without an index."
        raise ValidationError(message)

    def remove(self) -> None:
        """Do nothing."""

    def candidates(self, _search: TextSearch) -> Statement | None:
        """Return nothing."""
        return None

    def faults(self) -> list[str]:
        """Return nothing."""
        return []
