"""Searching the data of events for words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import MICROSECOND, a_session, an_event, at, ids, label, soft_deleted
from asm_core.querying.pages import all_items

if TYPE_CHECKING:
    from asm_core import QueryAPI, SessionStore

TEXTS = {
    "plain": {"role": "user", "content": "Connection REFUSED: no route to host"},
    "parts": {"content": [{"type": "text", "text": "line one\nno\troute"}, "two"]},
    "tool": {"tool_name": "read_file", "tool_input": {"path": "src/straße/Ünï.py", "limit": 5}},
    "folded": {"delta": "\u017ftrange \u212a\u0307, STRASSE"},
    "escaped": {"error": {"message": "100% \\u0041 \"quoted\" 'it''s' \x00nul\x7f"}},
    "coloured": {"delta": "\x1b[1;31mcrimson\x1b[0m \x1b[Kflag\x1b(Bs \x1b]0;window\x07"},
    "words": {"delta": "東京 tower, Ελλάδα; e\u0301t\u00e9"},
}
"""The data of events by id; each is a session of its own."""


class SearchTextContract(Contract):
    """`search_text` finds events by the words of their data."""

    @pytest.fixture
    def stored_texts(self, store: SessionStore) -> None:
        """Store the texts, each in a session of its own, one second after the other."""
        for second, (event_id, data) in enumerate(TEXTS.items()):
            store.save_session(a_session(id=f"s {event_id}"))
            store.append_event(an_event(f"s {event_id}", id=event_id, data=data, timestamp=at(second)))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("refused", ["plain"]),
            ("Route", ["plain", "parts"]),
            ("host connection", ["plain"]),
            ("host two", []),
            ("user refused", ["plain"]),
            ('"no route"', ["plain", "parts"]),
            ('"route no"', []),
            ("route no", ["plain", "parts"]),
            ('two "no route"', ["parts"]),
            ('"one no"', ["parts"]),
            ("rout", []),
            ("oute", []),
            ("rout*", ["plain", "parts"]),
            ('"no rout*"', ["plain", "parts"]),
            ("role", []),
            ("5", []),
            ("read", ["tool"]),
            ("read_file", ["tool"]),
            ("file_read", []),
            ("src/straße", ["tool"]),
            ("strasse", ["tool", "folded"]),
            ("STRA\u1e9eE", ["tool", "folded"]),
            ("ünï", ["tool"]),
            ("strange", ["folded"]),
            ("k", ["folded"]),
            ("100%", ["escaped"]),
            ("u0041", ["escaped"]),
            ("A", []),
            ("quoted it s", ["escaped"]),
            ("nul", ["escaped"]),
            ("crimson", ["coloured"]),
            ('"crimson flag"', ["coloured"]),
            ("window", ["coloured"]),
            ("31mcrimson", []),
            ("東京", ["words"]),
            ("東", []),
            ("東*", ["words"]),
            ("ελλάδα", ["words"]),
            ("été", []),
            ("t\u00e9", ["words"]),
        ],
        ids=label,
    )
    @pytest.mark.usefixtures("stored_texts")
    def test_events_with_all_words_are_found(self, query: QueryAPI, text: str, expected: list[str]) -> None:
        """Look for a search that folds only ASCII, or that searches the JSON as it is stored."""
        assert sorted(ids(query.search_text(text))) == sorted(expected)

    @pytest.fixture
    def stored_hits(self, store: SessionStore) -> None:
        """Store h1 to h6 in three sessions, with other events between them; their times cross."""
        store.save_session(a_session(id="s1", agent_id="a", user_id="u"))
        store.save_session(a_session(id="s2", agent_id="b", user_id="u"))
        gone = store.save_session(a_session(id="s3", agent_id="a", user_id="v"))
        rows = [
            ("h4", "s2", "message_sent", 1),
            ("h1", "s1", "message_sent", 2),
            ("h5", "s2", "error_occurred", 2),
            ("h2", "s1", "tool_call_started", 3),
            ("h3", "s1", "message_sent", 0),
            ("h6", "s3", "message_sent", 4),
        ]
        for event_id, session_id, kind, second in rows:
            hit = an_event(session_id, id=event_id, type=kind, data={"a": f"needle {event_id}"}, timestamp=at(second))
            misses = [
                an_event(session_id, id=f"{event_id} {place}", data={"needle": f"naïve needles {place}"})
                for place in range(4)
            ]
            store.append_events([*misses[:2], hit, *misses[2:]])
        soft_deleted(store, gone)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, ["h2", "h5", "h1", "h4", "h3"]),
            ({"include_deleted": True}, ["h6", "h2", "h5", "h1", "h4", "h3"]),
            ({"agent_id": "a"}, ["h2", "h1", "h3"]),
            ({"agent_id": ["a", "b"]}, ["h2", "h5", "h1", "h4", "h3"]),
            ({"agent_id": "a", "include_deleted": True}, ["h6", "h2", "h1", "h3"]),
            ({"agent_id": "unknown"}, []),
            ({"agent_id": []}, []),
            ({"user_id": "u"}, ["h2", "h5", "h1", "h4", "h3"]),
            ({"user_id": "u", "agent_id": "b"}, ["h5", "h4"]),
            ({"user_id": ["v", "w"]}, []),
            ({"user_id": []}, []),
            ({"session_ids": "s1"}, ["h2", "h1", "h3"]),
            ({"session_ids": ["s2", "unknown"]}, ["h5", "h4"]),
            ({"session_ids": "s1", "order_by": "sequence_desc"}, ["h3", "h2", "h1"]),
            ({"session_ids": []}, []),
            ({"types": "error_occurred"}, ["h5"]),
            ({"types": ["error_occurred", "tool_call_started"]}, ["h2", "h5"]),
            ({"types": []}, []),
            ({"since": at(2)}, ["h2", "h5", "h1"]),
            ({"since": at(2) + MICROSECOND}, ["h2"]),
            ({"until": at(2)}, ["h4", "h3"]),
            ({"order_by": "timestamp_asc"}, ["h3", "h4", "h1", "h5", "h2"]),
            ({"order_by": "sequence_asc"}, ["h1", "h2", "h3", "h4", "h5"]),
            ({"order_by": "sequence_desc"}, ["h5", "h4", "h3", "h2", "h1"]),
        ],
        ids=label,
    )
    @pytest.mark.usefixtures("stored_hits")
    def test_found_texts_pass_each_filter(self, query: QueryAPI, filters: dict[str, Any], expected: list[str]) -> None:
        """Check how `find_events` applies the filters on an event's session, together with a text."""
        assert ids(query.search_text("needle", **filters)) == expected

    @pytest.mark.guarantee("G14")
    @pytest.mark.parametrize("order", ["timestamp_desc", "timestamp_asc", "sequence_asc", "sequence_desc"])
    @pytest.mark.parametrize("size", [1, 2, 5])
    @pytest.mark.usefixtures("stored_hits")
    def test_pages_of_found_texts_are_the_whole(self, query: QueryAPI, order: str, size: int) -> None:
        """Look for a page that ends where a candidate does not match: the store is asked for the next ones."""
        whole = ids(query.search_text("needle", order_by=order))
        assert ids(all_items(query.search_text, text="needle", order_by=order, limit=size)) == whole

    @pytest.mark.guarantee("G6")
    @pytest.mark.usefixtures("stored_hits")
    def test_redacted_and_deleted_texts_are_not_found(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for an index that keeps what was removed."""
        store.redact_events("s1", ["h1"])
        store.delete_events("s1", ids=["h2"])
        store.delete_session("s2")
        assert ids(query.search_text("needle")) == ["h3"]
