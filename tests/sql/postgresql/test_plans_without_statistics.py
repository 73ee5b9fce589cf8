"""A page of one session's log is read in the order of its index, whatever statistics the table has."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from asm_core.querying.queries import EventQuery
from asm_core.sql import Dialect, migrate
from asm_core.sql.queries import ReadQueries
from asm_core.sql.queries.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = words_of(Dialect.POSTGRESQL)
EVENTS = """\
INSERT INTO asm_events (id, session_id, sequence_number, type, timestamp, run_id, data, metadata, schema_version)
SELECT %(session)s || '-' || n, %(session)s, n, 'message_sent', now(),
    %(session)s || 'run' || n %% 5, '{"content": "hello"}',
    '{}', 1
FROM generate_series(1, %(events)s) AS n"""
EXECUTIONS = 8
"""Of a prepared statement: from the sixth on, the server may take a plan that does not look at the values."""
QUERIES = {
    "log": {},
    "a run": {"run_ids": ("logrun0",)},
    "two runs": {"run_ids": ("logrun0", "logrun1")},
    "a type": {"types": ("message_sent",)},
    "a run and a type": {"run_ids": ("logrun0",), "types": ("message_sent",)},
}


@pytest.fixture(params=["never analysed", "of one small session", "of many small sessions", "analysed"])
def connection(request: pytest.FixtureRequest, postgresql_url: str) -> Iterator[psycopg.Connection]:
    """Return a connection to a log of 10,000 events, with statistics of another time."""
    sessions = {"never analysed": 0, "of one small session": 1, "of many small sessions": 40, "analysed": 0}
    with psycopg.connect(postgresql_url, autocommit=True, prepare_threshold=None) as opened:
        migrate(opened.execute, WORDS, 0)  # the tables of another test may be left, with its statistics
        migrate(opened.execute, WORDS)
        opened.execute("ALTER TABLE asm_events SET (autovacuum_enabled = off)")
        for number in range(sessions[request.param]):
            opened.execute(EVENTS, {"session": f"old{number}", "events": 50})
        if sessions[request.param]:
            opened.execute("ANALYZE asm_events")
        opened.execute(EVENTS, {"session": "log", "events": 10_000})
        if request.param == "analysed":
            opened.execute("ANALYZE asm_events")
        yield opened
        migrate(opened.execute, WORDS, 0)


@pytest.mark.parametrize("name", QUERIES)
def test_page_is_read_in_the_order_of_the_index(connection: psycopg.Connection, name: str) -> None:
    filters: dict[str, Any] = QUERIES[name]
    query = EventQuery(session_ids=("log",), after=5_000, limit=100, **filters)
    statement, numbers = ReadQueries(WORDS).events(query), count(1)
    connection.execute("PREPARE page AS " + re.sub("%s", lambda _: f"${next(numbers)}", statement.sql))  # type: ignore[arg-type]
    values = ", ".join(f"'{value}'" for value in statement.parameters)
    for _ in range(EXECUTIONS):
        rows = connection.execute(f"EXPLAIN EXECUTE page ({values})").fetchall()  # type: ignore[arg-type]
        plan = "\n".join(line for (line,) in rows)
        assert "Index Scan using asm_events_session_id_sequence_number_key" in plan
        assert "Sort" not in plan
        assert "Bitmap" not in plan
    connection.execute("DEALLOCATE page")
