"""Which events a search for a text finds, and where in a text."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asm_core import Event, Session, ValidationError
from asm_core.memory import MemoryBackend, State
from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.memory.reader import MemoryReader
from asm_core.querying.text_search import MAX_WORDS, TextSearch

if TYPE_CHECKING:
    from asm_core.models import StoredEvent
    from asm_core.querying.queries import EventQuery


class Blind(MemoryReader):
    """Finds events whatever their text, as a store without text search does."""

    def find_events(self, query: EventQuery) -> list[StoredEvent]:
        assert query.limit is None or query.limit <= 500
        return super().find_events(msgspec.structs.replace(query, text=None))


@pytest.mark.parametrize("order", ["timestamp_desc", "timestamp_asc", "sequence_asc", "sequence_desc"])
def test_a_store_may_find_events_without_the_text(order: str) -> None:
    state = State()
    backend = MemoryBackend(state)
    session = backend.session_store.save_session(Session.new(agent_id="a"))
    texts = ["needle" if number % 700 == 0 else "hay" for number in range(1_500)]
    backend.session_store.append_events(
        Event.new(type="message_sent", session_id=session.id, data={"content": text}) for text in texts
    )
    query = MemoryQueryAPI(state, Blind(state))
    first = query.search_text("needle", order_by=order, limit=2, session_ids=session.id)
    second = query.search_text("needle", order_by=order, limit=2, session_ids=session.id, cursor=first.cursor)
    assert sorted(event.sequence_number for event in (*first, *second)) == [1, 701, 1401]
    assert (len(first), second.cursor) == (2, None)


@given(st.text(st.characters(exclude_characters="\x1b"), min_size=1))
def test_each_word_of_a_text_is_found_in_it(text: str) -> None:
    # Words are those of the folded text: U+0345, a mark, folds to a letter.
    words = "".join(one if one.isalnum() else " " for one in text.casefold()).split()
    for word in words[:MAX_WORDS]:
        search = TextSearch.of(word)
        assert search.matches({"a": [{"b": text}]})
        for begin, end in search.places(text):
            assert TextSearch.of(text[begin:end]).words == search.words


@given(st.characters(min_codepoint=128, exclude_categories=["Cs"]))
def test_only_characters_beyond_ascii_fold_to_others(character: str) -> None:
    assert character.casefold() == "".join(one.casefold() for one in character)
    assert all(one.casefold().isascii() and len(one.casefold()) == 1 for one in map(chr, range(128)))


def test_another_normal_form_is_another_word() -> None:
    composed, decomposed = (unicodedata.normalize(form, "été") for form in ("NFC", "NFD"))
    assert TextSearch.of(composed).matches({"a": composed})
    assert not TextSearch.of(composed).matches({"a": decomposed})
    assert TextSearch.of(decomposed).matches({"a": decomposed})


@pytest.mark.parametrize("text", ["", " ", "-", '""', "a " * (MAX_WORDS + 1), 5, None, "a\ud800"])
def test_a_text_without_words_or_with_too_many_is_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        TextSearch.of(text)
