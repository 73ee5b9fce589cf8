"""What helps a planner that knows too little of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler


class unindexed(FunctionElement[str]):  # noqa: N801  as functions are called
    """A column whose index is not to be used, on SQLite, which has no statistics unless somebody runs ANALYZE.

    Left to itself it may go through all runs of a status or a provider to find those of one session, or through all
    runs in the order of an index, each looked up by itself, to group them. PostgreSQL knows better.
    """

    inherit_cache = True
    type = Text()


@compiles(unindexed, "sqlite")
def _unindexed_on_sqlite(element: unindexed, compiler: SQLCompiler, **options: Any) -> str:
    # https://www.sqlite.org/optoverview.html, "Disqualifying WHERE Clause Terms Using Unary-+"
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(unindexed, "postgresql")
def _unindexed_on_postgresql(element: unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))
