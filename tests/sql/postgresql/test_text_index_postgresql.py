"""The text index of PostgreSQL: partitions, schemas, roles, and an interrupted build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator

INSERT = (
    "INSERT INTO asm_events (id, session_id, sequence_number, type, timestamp, data, metadata, schema_version) "
    "VALUES (%s, 's', %s, 'message_sent', now(), %s, '{}', 1)"
)


def an_event(content: str) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id="s", data={"content": content})


@pytest.fixture
def backend(postgresql_url: str) -> Iterator[asm.Backend]:
    """Return a store with events, and without an index."""
    with asm.open_backend("peewee", url=postgresql_url, migrate=True) as backend:
        backend.session_store.save_session(asm.Session.new(agent_id="a", id="s"))
        backend.session_store.append_events([an_event(f"common word{number}") for number in range(100)])
        yield backend


def count(backend: asm.Backend, text: str) -> int:
    return len(backend.query_api.search_text(text, limit=200).items)


@pytest.mark.parametrize("is_first", [True, False])
def test_partitions_and_an_index_go_together(backend: asm.Backend, is_first: bool) -> None:  # noqa: FBT001  parameter
    if is_first:
        backend.migrate(text_search=True)
        backend.migrate(partitions=3)
    else:
        backend.migrate(partitions=3, text_search=True)
    assert backend.text_index() is asm.TextIndex.COMPLETE
    backend.session_store.append_event(an_event("later word7"))
    assert (count(backend, "word7"), count(backend, "common")) == (2, 100)
    assert backend.maintenance.health_check() == []
    backend.migrate(text_search=False)
    assert backend.text_index() is asm.TextIndex.ABSENT
    backend.migrate(text_search=True)
    assert count(backend, "word7") == 2
    backend.migrate(0)
    backend.migrate()
    assert backend.text_index() is asm.TextIndex.ABSENT


def test_tables_in_a_named_schema_are_indexed(postgresql_url: str) -> None:
    with asm.open_backend("pony", url=postgresql_url, schema="Agents", migrate=True) as backend:
        backend.session_store.save_session(asm.Session.new(agent_id="a", id="s"))
        backend.migrate(text_search=True)
        backend.session_store.append_event(an_event("here"))
        assert count(backend, "here") == 1
        backend.migrate(0)
    with psycopg.connect(postgresql_url) as connection:
        left = "SELECT proname FROM pg_proc WHERE proname ~ '^asm_'"
        assert connection.execute(left).fetchall() == []


def test_statements_of_other_programs_keep_the_index(backend: asm.Backend, postgresql_url: str) -> None:
    backend.migrate(text_search=True)
    with psycopg.connect(postgresql_url, autocommit=True) as by_hand:
        by_hand.execute(INSERT, ("e1", 101, '{"a": "by\\nhand"}'))
        by_hand.execute(INSERT, ("e2", 102, '{"a": "nul\\u0000hand \\u00e9"}'))
        by_hand.execute("UPDATE asm_session_sequences SET last_sequence = 102")
        assert count(backend, "hand") == 2
        by_hand.execute("UPDATE asm_events SET data = '{}' WHERE id = 'e1'")
        by_hand.execute("DELETE FROM asm_events WHERE id = 'e2'")
        assert count(backend, "hand") == 0


def test_an_interrupted_build_is_completed(backend: asm.Backend, postgresql_url: str) -> None:
    backend.migrate(text_search=True)
    with psycopg.connect(postgresql_url, autocommit=True) as by_hand:
        by_hand.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'asm_events_by_text'::regclass")
        assert backend.text_index() is asm.TextIndex.INCOMPLETE
        assert count(backend, "word7") == 1
        [fault] = backend.maintenance.health_check()
        assert "incomplete" in fault
    backend.migrate(text_search=True)
    assert backend.text_index() is asm.TextIndex.COMPLETE
    assert backend.maintenance.health_check() == []


def test_a_health_check_finds_a_changed_function(backend: asm.Backend, postgresql_url: str) -> None:
    backend.migrate(text_search=True)
    with psycopg.connect(postgresql_url, autocommit=True) as by_hand:
        by_hand.execute(
            "CREATE OR REPLACE FUNCTION asm_words(data json) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE STRICT "
            "AS $$BEGIN RETURN ''::tsvector; END$$"
        )
    [fault] = backend.maintenance.health_check()
    assert "asm_words" in fault
