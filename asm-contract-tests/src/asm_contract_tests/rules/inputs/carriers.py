"""What may carry a hostile text into a store.

Each carrier writes the text, or asks for it, and yields; then it looks whether just that was stored, and whether what
is asked for by the text is that and nothing else.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, as_saved, ids
from asm_contract_tests.rules.inputs.grammar import hostile_payload
from asm_contract_tests.rules.inputs.payloads import exactly
from asm_core import AsmError, Backend, ExecutionResult, NotFoundError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Carrier = Callable[[Backend, str], Iterator[None]]

HOLDER: Final = "ses_holder"
"""The session to which runs, events and artifacts are given."""


def _payload(text: str) -> dict[str, Any]:
    return {text: text, "more": hostile_payload(Random(text.encode(errors="surrogatepass")))}  # noqa: S311  no secrets


def session_names(backend: Backend, text: str) -> Iterator[None]:
    """Name a session so, its agent and its tag."""
    store, query = backend.session_store, backend.query_api
    given = a_session(id=text, agent_id=text, parent_session_id=text, tags=[text, "all"], metadata={text: text})
    saved = store.save_session(given)
    assert saved == as_saved(given, saved.revision)
    yield
    assert store.get_session(text) == saved
    assert ids(store.list_sessions(agent_id=text)) == [text]
    assert ids(query.search_sessions(tags=[text, "all"])) == [text]
    assert query.search_sessions(agent_id=[text], limit=1, count=True).total_count == 1


def run_names(backend: Backend, text: str) -> Iterator[None]:
    """Name a run so, its provider and its model."""
    store, query = backend.session_store, backend.query_api
    given = a_run(HOLDER, id=text, provider=text, provider_metadata={"model": text}, input={text: text})
    saved = store.save_run(given)
    assert saved == as_saved(given, saved.revision)
    yield
    assert store.get_run(text) == saved
    assert ids(query.search_runs(provider=text)) == [text]
    assert [(row.provider, row.model) for row in query.get_usage_summary(provider=text).rows] == [(text, text)]


def event_names(backend: Backend, text: str) -> Iterator[None]:
    """Name an event so, its run, its provider and its correlation."""
    store, query = backend.session_store, backend.query_api
    given = an_event(HOLDER, id=text, run_id=text, provider=text, correlation_id=text, data={text: text})
    stored = store.append_event(given)
    assert stored == given.numbered(stored.sequence_number or 0)
    yield
    assert store.get_events(HOLDER, run_id=text) == [stored]
    assert query.search_events(providers=text).items == [stored]
    assert query.search_events(correlation_id=text, run_ids=[text]).items == [stored]
    assert query.count_events(correlation_id=text) == 1


def logs(backend: Backend, text: str) -> Iterator[None]:
    """Keep a log in a session that is named so."""
    store, query = backend.session_store, backend.query_api
    session, events = a_session(id=text), [an_event(text, data={text: place}) for place in range(2)]
    stored = store.flush(ExecutionResult(session, a_run(text, id=text), events))
    yield
    assert store.get_events(text) == query.export_session(text).events == stored
    assert (store.get_latest_sequence(text), query.get_session_stats(text).run_count) == (2, 1)
    assert ids(query.search_runs(session_id=text)) == [text]
    assert query.count_events(session_ids=text) == 2


def artifact_keys(backend: Backend, text: str) -> Iterator[None]:
    """Register an artifact under such a key, which is kept at such a place."""
    registry = backend.artifact_registry
    given = an_artifact(session_id=HOLDER, id=text, key=text, storage_ref=text, metadata={text: text})
    registry.register(given)
    yield
    assert registry.get_by_key(text) == registry.register(given) == given
    registry.delete(text)
    assert registry.get_by_key(text) is None


def payloads(backend: Backend, text: str) -> Iterator[None]:
    """Keep a payload of such keys and values with a session, a run and an event."""
    store, payload = backend.session_store, _payload(text)
    session = a_session(metadata=payload, context=payload)
    [event] = store.flush(
        ExecutionResult(session, a_run(session, input=payload), [an_event(session, data=payload, metadata=payload)])
    )
    yield
    [run], [found] = store.list_runs(session.id), store.get_events(session.id)
    kept = store.get_session(session.id)
    read = [kept.metadata, kept.context, run.input, event.data, found.data, found.metadata]
    assert [exactly(one) for one in read] == [exactly(payload)] * len(read)


def questions(backend: Backend, text: str) -> Iterator[None]:
    """Ask for what is named so, where nothing is."""
    store, query, registry = backend.session_store, backend.query_api, backend.artifact_registry
    store.delete_session(text)
    yield
    for ask in (store.get_session, store.get_run, store.get_events, store.list_runs, query.export_session):
        with pytest.raises(NotFoundError):
            ask(text)
    filters: list[tuple[Any, list[str]]] = [
        (query.search_sessions, ["agent_id", "provider", "tags"]),
        (query.search_runs, ["session_id", "provider"]),
        (query.search_events, ["session_ids", "run_ids", "providers", "correlation_id"]),
    ]
    found = [search(**{name: [text]}).items for search, names in filters for name in names if name != "correlation_id"]
    assert found == [[]] * len(found)
    assert query.count_events(correlation_id=text) == 0
    assert (registry.get_by_key(text), registry.list_by_session(text)) == (None, [])


def words(backend: Backend, text: str) -> Iterator[None]:
    """Give it where only certain words, or what the store itself handed out, can be given."""
    store, query = backend.session_store, backend.query_api
    yield
    calls: list[tuple[Any, list[str]]] = [
        (query.search_sessions, ["status", "order_by", "cursor"]),
        (query.search_runs, ["status", "order_by", "cursor"]),
        (query.search_events, ["types", "order_by", "cursor"]),
        (store.list_sessions, ["status"]),
    ]
    for call, names in calls:
        for name in names:
            with pytest.raises(AsmError):
                call(**{name: text})
    with pytest.raises(ValidationError):
        store.append_event(an_event(HOLDER, type=text))


CARRIERS: Final = (session_names, run_names, event_names, logs, artifact_keys, payloads, questions, words)
