"""The tables, and conditions on their columns, in SQLAlchemy's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, literal, tuple_

from asm_backend_sqlmodel.database import Database
from asm_backend_sqlmodel.models import ArtifactRow, EventRow, RunRow, SequenceRow, SessionRow
from asm_core.sql import SQLReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Select, Table

SESSIONS: Final[Table] = SessionRow.__table__  # type: ignore[attr-defined]
RUNS: Final[Table] = RunRow.__table__  # type: ignore[attr-defined]
EVENTS: Final[Table] = EventRow.__table__  # type: ignore[attr-defined]
SEQUENCES: Final[Table] = SequenceRow.__table__  # type: ignore[attr-defined]
ARTIFACTS: Final[Table] = ArtifactRow.__table__  # type: ignore[attr-defined]

Condition = ColumnElement[bool]


class SQLModelReader(SQLReader[Database]):
    """The primitives that the ports share."""

    def _rows(self, statement: Select[Any]) -> list[Any]:
        with self._database.read() as connection:
            return list(connection.execute(statement).all())


def behind(key: list[Any], start: tuple[Any, ...]) -> Condition:
    """Return the condition that a row comes after the one with the key `start`."""
    return tuple_(*key) > tuple_(*[literal(value, column.type) for column, value in zip(key, start, strict=True)])


def allowed(column: ColumnElement[Any], choice: Collection[Any] | None) -> Iterable[Condition]:
    """Return the condition that `column` has one of these values; nothing where there is no filter."""
    return () if choice is None else (column.in_([str(value) for value in choice]),)
