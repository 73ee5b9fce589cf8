"""The roles of docs/security.md have exactly the documented privileges on PostgreSQL."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import DuplicateObject, UniqueViolation
from sqlalchemy import make_url

import asm_core as asm

PAGE = (Path(__file__).parents[3] / "docs" / "security.md").read_text("utf-8")
BLOCKS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)

pytestmark = pytest.mark.usefixtures("empty_directory")


@pytest.fixture(params=["sqlmodel", "peewee", "pony"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def urls(postgresql_url: str, name: str) -> dict[str, str]:
    """Return the URL of each role; the owner has migrated."""
    roles = ("asm_owner", "asm_app", "asm_reader")
    urls = {role: make_url(postgresql_url).set(username=role).render_as_string(hide_password=False) for role in roles}
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        for block in BLOCKS:
            for statement in filter(str.strip, block.split(";")):
                with suppress(DuplicateObject, UniqueViolation):  # another test made the role, perhaps at this moment
                    connection.execute(statement)
            with asm.open_backend(name, url=urls["asm_owner"], schema="agents", migrate=True):
                pass
    return urls


def test_the_applications_role_does_all_but_migrate(urls: dict[str, str], name: str) -> None:
    with asm.open_backend(name, url=urls["asm_app"], schema="agents") as backend:
        store = backend.session_store
        session = store.save_session(asm.Session.new(agent_id="assistant"))
        run = store.save_run(asm.Run.new(session_id=session.id))
        event = store.append_event(asm.Event.new(type="message_sent", session_id=session.id, run_id=run.id))
        assert store.get_events(session.id) == [event]
        assert backend.maintenance.execute(asm.RetentionPolicy()).sessions_hard_deleted == 0
        assert backend.maintenance.health_check() == []
        store.delete_session(session.id)
        assert backend.migrate() == []
        with pytest.raises(asm.StorageError):
            backend.migrate(0)


def test_the_readers_role_reads_and_cannot_write(urls: dict[str, str], name: str) -> None:
    with asm.open_backend(name, url=urls["asm_app"], schema="agents") as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="assistant"))
        event = backend.session_store.append_event(asm.Event.new(type="message_sent", session_id=session.id))
    with asm.open_backend(name, url=urls["asm_reader"], schema="agents") as backend:
        assert list(backend.session_store.follow_events(session.id, idle_timeout=0)) == [event]
        assert backend.query_api.export_session(session.id).events == [event]
        assert backend.maintenance.health_check() == []
        with pytest.raises(asm.StorageError, match="A privilege is missing"):
            backend.session_store.save_session(session.with_tags(["new"]))
