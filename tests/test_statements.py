"""A statement is put into words once for each shape of a question, and never mixes up its values."""

from __future__ import annotations

from datetime import UTC, datetime

from asm_core.queries import EVENT_ORDERS, EventQuery
from asm_core.sql import Several, Statement, codec_of
from asm_core.sql.statements import Statements

SQLITE = codec_of("sqlite")


def spoken(queries: list[EventQuery]) -> Statements[EventQuery]:
    """Return statements that remember the queries for which they were asked."""

    def select(query: EventQuery) -> Statement:
        queries.append(query)
        parts = {
            "session_id": query.session_ids and query.session_ids[0],
            "type": query.types and query.types[0],
            "since": query.since,
            "after": query.after,
            **dict(zip(("start_0", "start_1"), query.start or (), strict=False)),
        }
        given = {name: mark for name, mark in parts.items() if mark is not None}
        return Statement(f"SELECT {' '.join(f'{name} = ?' for name in given)}", [*given.values(), 7])

    return Statements(SQLITE, select)


def test_questions_of_one_shape_are_asked_for_once() -> None:
    asked: list[EventQuery] = []
    statements = spoken(asked)
    first = statements.of(EventQuery(session_ids=("a",), after=1))
    second = statements.of(EventQuery(session_ids=("b",), after=2))
    assert (first.parameters, second.parameters) == (["a", 1, 7], ["b", 2, 7])
    assert first.sql == second.sql
    assert len(asked) == 1


def test_one_value_and_several_are_two_shapes() -> None:
    asked: list[EventQuery] = []
    statements = spoken(asked)
    assert statements.of(EventQuery(session_ids=("a",))).parameters == ["a", 7]
    assert statements.of(EventQuery(session_ids=("a", "b"))).parameters == ['["a","b"]', 7]
    assert statements.of(EventQuery(session_ids=("a", "b", "c"))).parameters == ['["a","b","c"]', 7]
    assert [type(query.session_ids[0]) for query in asked if query.session_ids] == [str, Several]


def test_orders_starts_and_filters_make_shapes() -> None:
    asked: list[EventQuery] = []
    statements = spoken(asked)
    for query in (
        EventQuery(),
        EventQuery(order=EVENT_ORDERS["timestamp_asc"]),
        EventQuery(start=("a", 1)),
        EventQuery(after=1),
        EventQuery(before=1),
    ):
        statements.of(query)
        statements.of(query)
    assert len(asked) == 5


def test_limits_are_numbers_and_no_part_of_the_shape() -> None:
    asked: list[EventQuery] = []
    statements = spoken(asked)
    assert statements.of(EventQuery(limit=3)).sql.endswith("\nLIMIT 3")
    assert statements.of(EventQuery(limit=4)).sql.endswith("\nLIMIT 4")
    assert "LIMIT" not in statements.of(EventQuery()).sql
    assert [query.limit for query in asked] == [None]


def test_values_are_as_columns_hold_them() -> None:
    since = datetime(2026, 1, 2, tzinfo=UTC)
    assert spoken([]).of(EventQuery(since=since)).parameters == ["2026-01-02T00:00:00.000000Z", 7]


def test_named_parameters_get_places() -> None:
    def select(query: EventQuery) -> Statement:
        named = {"b": query.after, "a": query.before, "c": "100%"}
        return Statement("SELECT %(a)s, %(b)s, '%%', %(c)s, %(a)s", named)

    found = Statements(SQLITE, select).of(EventQuery(after=1, before=9))
    assert found == Statement("SELECT %s, %s, '%%', %s, %s", [9, 1, "100%", 9])


def test_how_many_values_a_choice_has_is_no_part_of_the_shape() -> None:
    asked: list[EventQuery] = []
    statements = spoken(asked)
    for size in range(2, 200):
        statements.of(EventQuery(session_ids=tuple(map(str, range(size)))))
    assert len(asked) == 1
