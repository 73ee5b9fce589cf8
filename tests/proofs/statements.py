"""What a backend sends to its database, noted below any ORM, and how the database plans to answer it."""

from __future__ import annotations

import re
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import psycopg2.extensions
from bare import connected

from asm_core.sql.sqlite.driver import Connection

if TYPE_CHECKING:
    import pytest

Sent = list[tuple[str, Any]]
"""Statements and their parameters."""


def note_statements(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Note what is sent from now on, over core's connections to SQLite, any of psycopg, and later ones of psycopg2."""
    sent: Sent = []
    connect, execute = Connection.__init__, psycopg.Cursor.execute

    class Noting(psycopg2.extensions.cursor):
        def execute(self, query: Any, params: Any = None) -> Any:
            sent.append((query, params))
            return super().execute(query, params)

    def connect_and_note(connection: Connection, *args: Any, **options: Any) -> None:
        connect(connection, *args, **options)
        connection.set_trace_callback(lambda statement: sent.append((statement, None)))

    def note_and_execute(cursor: Any, query: Any, params: Any = None, **options: Any) -> Any:
        sent.append((query, params))
        return execute(cursor, query, params, **options)

    monkeypatch.setattr(Connection, "__init__", connect_and_note)
    monkeypatch.setattr(psycopg2, "connect", partial(psycopg2.connect, cursor_factory=Noting))
    monkeypatch.setattr(psycopg.Cursor, "execute", note_and_execute)
    return sent


class Step(NamedTuple):
    """A step of a plan: what it does, with which index or table, and from where in the index."""

    does: str
    index: str | None = None
    scans: str | None = None
    begins: str = ""
    sorts: int | None = None

    def __repr__(self) -> str:
        """Return what the database calls it."""
        return self.does


def plan_of(url: str, sent: Sent) -> list[Step]:
    """Return the steps of all plans together."""
    explain = _explain_on_sqlite if url.startswith("sqlite:") else _explain_on_postgresql
    asked = [(statement, parameters) for statement, parameters in sent if _reads_or_removes(statement)]
    with connected(url) as connection:
        return [step for statement, parameters in asked for step in explain(connection, statement, parameters)]


def work_of(url: str, sent: Sent) -> int:
    """Return how much the database does to answer: pages that PostgreSQL looks at, or a tenth of SQLite's steps."""
    measure = _steps_on_sqlite if url.startswith("sqlite:") else _buffers_on_postgresql
    with connected(url) as connection:
        # What is asked now is noted too.
        return sum(measure(connection, *one) for one in [*sent] if _reads_or_removes(one[0]))


def _steps_on_sqlite(connection: Any, statement: str, _: Any) -> int:
    steps = count()
    connection.set_progress_handler(lambda: next(steps) < 0, 10)
    connection.execute(statement).fetchall()
    return next(steps)


def _buffers_on_postgresql(connection: Any, statement: Any, parameters: Any) -> int:
    (answer,) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters).fetchone()
    plan = answer[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _reads_or_removes(statement: Any) -> bool:
    return str(statement).lstrip().upper().startswith(("SELECT", "DELETE", "UPDATE ASM_SESSIONS ", "WITH"))


_SORT = re.compile("TEMP B-TREE FOR ORDER BY")
_INDEX = re.compile(r"USING (?:COVERING )?INDEX (\w+)(?: \((.*)\))?")


def _explain_on_sqlite(connection: Any, statement: str, _: Any) -> list[Step]:
    steps = []
    for *_, does in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
        used = _INDEX.search(does)
        whole = re.match(r"SCAN (asm_\w+)$", does)
        # What is sorted is not told; only the last terms of an order are little.
        sorts = 1 << 62 if _SORT.search(does) else None
        steps.append(
            Step(does, used and used[1], scans=whole and whole[1], begins=(used and used[2]) or "", sorts=sorts)
        )
    return steps


def _explain_on_postgresql(connection: Any, statement: Any, parameters: Any) -> list[Step]:
    asked = statement if isinstance(statement, str) else statement.as_string(connection)
    (answer,) = connection.execute(f"EXPLAIN (FORMAT JSON) {asked}", parameters).fetchone()
    return list(map(_step, _nodes(answer[0]["Plan"])))


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(inner for child in node.get("Plans", ()) for inner in _nodes(child))]


def _step(node: dict[str, Any]) -> Step:
    told = [node[field] for field in ("Relation Name", "Index Name", "Index Cond", "Sort Key") if field in node]
    kind = node["Node Type"]
    return Step(
        f"{kind} {told} ({node['Plan Rows']} rows)",
        index=node.get("Index Name"),
        scans=node["Relation Name"] if kind == "Seq Scan" else None,
        begins=node.get("Index Cond", ""),
        sorts=node["Plans"][0]["Plan Rows"] if kind == "Sort" else None,
    )
