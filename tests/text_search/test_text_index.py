"""Searches with a text index find what searches without one find."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import LIMIT

import asm_core as asm
from asm_core.querying.text_search import TextSearch
from asm_core.sql.text_search.terms import LIGATURES

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECES: Final = (
    *"abkKsStT059 _-.,:;/\\\"'\n\t\r\b\f\x00\x01\x1b\x7f",
    *"\u00df\u1e9e\u00e9\u00c9\u00fc\u0130\u0131\u0149\u017f\u212a\ufb01\ufb06\u1e96\u1e9a\u01f0\u0345\u0390\u03c2\u03a3\u0430\u0416",
    *"\u0301\u0307\u0308\u20e3\ufe0f\u200d\u00a0\u2014\u201c\u2028\u3000\u3002\uff10\uff21\u00b2\u00bd\u2460\u0661\u0e01\u0e31",
    *"\u6771\u4eac\ud55c\u30c8\u05d0\u0627\u0915\u093e\ue000\uffff\U0001f600\U0001fae0\U0001f916\U0001d7d9\U00020000\U000e0001",
    "route",
    "Straße",
    "asmanytext",
    "\\u0041",
    "\\n",
    "\x1b[31m",
    "\x1b[0;1",
    "\x1b[",
    "\x1b(b",
    "\x1b\\",
    "\x1b]0;",
    "\x1b k",
)
"""Pieces of texts: each kind of character that a database and Python might fold or separate differently."""
TEXTS: Final = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12
)
DATA: Final = st.one_of(
    st.builds(lambda text: {"content": text}, TEXTS),
    st.builds(lambda key, one, other: {key: [one, {"text": other}, 5, None]}, TEXTS, TEXTS, TEXTS),
)


def strings(data: Any) -> list[str]:
    if isinstance(data, str):
        return [data]
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [text for part in parts for text in strings(part)]


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the data of events, and texts to search: words of the data, their beginnings and ends."""
    stored = draw(st.lists(DATA, min_size=1, max_size=4))
    texts = [re.sub(r"\x1b\[?[0-?]*[ -/]*[0-~]", " ", text.casefold()) for data in stored for text in strings(data)]
    words = [word for text in texts for word in re.findall(r"[^\W_]+", text)]
    asked = []
    for word in draw(st.lists(st.sampled_from(words or ["route"]), min_size=1, max_size=4)):
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(word))] * 2)))
        part = word[begin:end] or word
        asked.append(draw(st.sampled_from([word, f"{word}*", part, f"{part}*", part.upper(), f"{word} {part}*"])))
    return stored, asked


def an_event(session_id: str, content: str, **fields: Any) -> asm.Event:
    return asm.Event.new(type="message_sent", session_id=session_id, data={"content": content}, **fields)


def indexed(name: str, url: str) -> asm.Backend:
    backend = asm.open_backend(name, url=url, migrate=True)
    backend.migrate(text_search=True)
    return backend


@pytest.fixture(params=["sqlite_url", "indexed_url"])
def shared(request: pytest.FixtureRequest) -> Iterator[asm.Backend]:
    """Return a store with an index that examples share; each has a session of its own."""
    with indexed("peewee", request.getfixturevalue(request.param)) as backend:
        yield backend


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(searches())
def test_the_index_misses_nothing(shared: asm.Backend, example: tuple[list[dict[str, Any]], list[str]]) -> None:
    stored, asked = example
    store = shared.session_store
    session = store.save_session(asm.Session.new(agent_id="a"))
    events = store.append_events(
        [asm.Event.new(type="message_sent", session_id=session.id, data=data) for data in stored]
    )
    for text in asked:
        try:
            search = TextSearch.of(text)
        except asm.ValidationError:
            continue  # a part of a word that is no text
        found = shared.query_api.search_text(text, session_ids=session.id, order_by="sequence_asc").items
        assert list(found) == [event for event in events if search.matches(event.data)], text
    store.delete_session(session.id)


def test_all_characters_that_fold_to_ascii_are_known() -> None:
    every = (chr(code) for code in range(0x80, 0x110000) if not 0xD800 <= code < 0xE000)
    assert {one for one in every if any(map(str.isascii, one.casefold()))} == set(LIGATURES)


@pytest.fixture(params=["sqlite_url", "postgresql_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["sqlmodel", "peewee", "pony"])
def backend(request: pytest.FixtureRequest, url: str) -> Iterator[asm.Backend]:
    """Return a store with 1,200 events, and without an index."""
    with asm.open_backend(request.param, url=url, migrate=True) as backend:
        session = backend.session_store.save_session(asm.Session.new(agent_id="a", id="s"))
        backend.session_store.append_events([an_event(session.id, f"common word{n}") for n in range(1200)])
        yield backend


def count(backend: asm.Backend, text: str) -> int:
    return len(backend.query_api.search_text(text, limit=100).items)


def test_a_store_with_data_is_indexed_and_cleared(backend: asm.Backend) -> None:
    assert backend.text_index() is asm.TextIndex.ABSENT
    for _ in range(2):
        assert backend.migrate(text_search=True) == []
        assert backend.text_index() is asm.TextIndex.COMPLETE
        assert count(backend, "word7 common") == 1
        assert count(backend, "word119*") == 11
        assert backend.maintenance.health_check() == []
    backend.maintenance.compact()
    assert count(backend, "word1199") == 1
    backend.migrate(text_search=False)
    assert backend.text_index() is asm.TextIndex.ABSENT
    assert count(backend, "word7") == 1


def test_downgrades_keep_or_remove_the_index(backend: asm.Backend) -> None:
    backend.migrate(text_search=True)
    newest = backend.schema_version()
    backend.migrate(newest - 1)
    backend.migrate()
    assert backend.text_index() is asm.TextIndex.COMPLETE
    assert count(backend, "word7") == 1
    with pytest.raises(asm.ValidationError, match="Only the newest schema"):
        backend.migrate(newest - 1, text_search=True)
    backend.migrate(0)
    backend.migrate()
    assert backend.text_index() is asm.TextIndex.ABSENT
    assert backend.maintenance.health_check() == []


def test_an_index_is_built_outside_of_transactions(backend: asm.Backend) -> None:
    for text_search in (True, False):
        with backend.transaction(), pytest.raises(asm.StorageError, match="in a transaction"):
            backend.migrate(text_search=text_search)
    assert backend.text_index() is asm.TextIndex.ABSENT


def test_long_words_and_texts_are_found(backend: asm.Backend) -> None:
    backend.migrate(text_search=True)
    texts = ["x" * 300, "x" * 3000, "z" * 300 + " other" * 500, "\n".join(map(str, range(200_000)))]
    events = backend.session_store.append_events([an_event("s", text) for text in texts])
    asked = {
        "x" * 300: [0],
        "x" * 200 + "*": [1, 0],
        "z" * 300: [2],
        "z" * 200 + "*": [2],
        "123456": [3],
        "x" * 299: [],
    }
    for text, places in asked.items():
        page = backend.query_api.search_text(text, order_by="sequence_desc")
        assert [event.id for event in page.items] == [events[place].id for place in places], text[:9]


def test_writers_continue_while_an_index_is_built(backend: asm.Backend, url: str) -> None:
    begun, ended = threading.Event(), threading.Event()
    failures: list[BaseException] = []
    with asm.open_backend(backend.name, url=url) as other:

        def write() -> None:
            try:
                number = 0
                while not ended.is_set():
                    other.session_store.append_event(an_event("s", f"meanwhile number{number}"))
                    victim = other.session_store.get_events("s", limit=1, after=number * 7)[0]
                    other.session_store.redact_events("s", [victim.id], data={"content": f"redacted number{number}"})
                    number += 1
                    begun.set()
            except BaseException as error:  # noqa: BLE001  shown by the test
                failures.append(error)
                begun.set()

        thread = threading.Thread(target=write)
        thread.start()
        try:
            assert begun.wait(LIMIT)
            backend.migrate(text_search=True)
        finally:
            ended.set()
            thread.join(LIMIT)
    assert failures == []
    assert count(backend, "meanwhile number0") == 1
    assert count(backend, "redacted number0") == 1
    assert backend.maintenance.health_check() == []
