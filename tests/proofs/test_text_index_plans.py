"""A search with a text index reads the events that have the words, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from statements import note_statements, plan_of

import asm_core as asm

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["sqlite_url", "postgresql_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def backend(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[asm.Backend]:
    """Return a store with 3,000 events and an index, without statistics."""
    with asm.open_backend("peewee", url=url, migrate=True) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a", id="s"))
        backend.session_store.append_events(
            [
                asm.Event.new(type="message_sent", session_id=session.id, data={"content": f"common word{number}"})
                for number in range(3000)
            ]
        )
        backend.migrate(text_search=True)
    sent = note_statements(monkeypatch)
    with asm.open_backend("peewee", url=url) as backend:
        backend.query_api.search_text("word3")
        sent.clear()
        backend.sent = sent  # type: ignore[attr-defined]
        yield backend


@pytest.mark.parametrize("order", ["timestamp_desc", "sequence_asc"])
@pytest.mark.parametrize("filters", [{}, {"session_ids": "s"}, {"agent_id": "a"}])
@pytest.mark.parametrize("text", ["word7", "word77*", '"common word7"', "common word7"])
def test_rare_words_are_looked_up(
    backend: asm.Backend, url: str, text: str, order: str, filters: dict[str, str]
) -> None:
    page = backend.query_api.search_text(text, order_by=order, **filters)  # type: ignore[arg-type]
    assert len(page.items) == (11 if text == "word77*" else 1)
    steps = plan_of(url, [one for one in backend.sent if "asm_words" in str(one[0])])  # type: ignore[attr-defined]
    used = {step.index for step in steps if "asm_events" in str(step.index)}
    assert used == {"sqlite_autoindex_asm_events_1" if url.startswith("sqlite") else "asm_events_by_text"}, steps
    assert not [step for step in steps if step.scans == "asm_events"], steps
