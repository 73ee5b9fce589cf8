"""Names and ids of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, ids
from asm_core.querying.queries import MAX_CHOICES

if TYPE_CHECKING:
    from asm_core import ArtifactRegistry, QueryAPI, SessionStore

NAMES: Final = [
    "'",
    '"',
    "''; DROP TABLE asm_sessions; --",
    "' OR '1'='1",
    "x' UNION SELECT * FROM asm_events --",
    "%",
    "_",
    "a%",
    "a_",
    "ab",
    "\\",
    "$1",
    "?",
    ":name",
    "%s",
    "%(name)s",
    "{0}",
    "../../etc/passwd",
    "C:\\Windows",
    "file:///etc/passwd",
    "NULL",
    "null",
    "None",
    "0",
    "00",
    "1e5",
    "100000",
    "true",
    "[]",
    '["a"]',
    '{"a": 1}',
    "a",
    "A",
    "a ",
    " a",
    "a\n",
    "a\t",
    "\r\n",
    "\x01",
    "\x7f",
    "é",
    "e\u0301",
    "ß",
    "ss",
    "ﬁ",
    "\u0130",
    "\u0131",
    "🙂",
    "שלום",
    "\u202eevil",
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "x" * 512,
    "é" * 256,
    "🙂" * 128,
]
"""Each differs from every other, if only by case, a blank or its Unicode form; none may be changed or executed."""


class NamesContract(Contract):
    """Any text serves as a name, and is found as it was given and in no other spelling."""

    @pytest.mark.guarantee("G15")
    def test_any_text_names_a_session(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for names that are put into a statement as text, compared without case, trimmed or normalised."""
        sessions = [store.save_session(a_session(id=name, agent_id=name, parent_session_id=name)) for name in NAMES]
        assert [store.get_session(name) for name in NAMES] == sessions
        assert [ids(store.list_sessions(agent_id=name)) for name in NAMES] == [[name] for name in NAMES]
        assert [ids(query.search_sessions(agent_id=name)) for name in NAMES] == [[name] for name in NAMES]

    @pytest.mark.guarantee("G14")
    def test_any_text_is_a_tag(self, store: SessionStore, query: QueryAPI) -> None:
        """Check how tags are matched: whole and exactly, never as a pattern or as a part of their JSON."""
        for name in NAMES:
            store.save_session(a_session(id=name, tags=[name, "common"]))
        assert [ids(query.search_sessions(tags=[name])) for name in NAMES] == [[name] for name in NAMES]
        assert query.search_sessions(tags=["common", "common"], count=True).total_count == len(NAMES)
        assert store.get_session("'").tags == ("'", "common")

    @pytest.mark.guarantee("G15")
    def test_any_text_names_a_run(self, store: SessionStore, query: QueryAPI) -> None:
        """Check how runs are found by id, session and provider, and summed up by provider and model."""
        store.save_session(a_session(id="'"))
        runs = [store.save_run(a_run("'", id=name, provider=name, provider_metadata={"model": name})) for name in NAMES]
        assert [store.get_run(name) for name in NAMES] == runs
        assert [ids(query.search_runs(provider=name)) for name in NAMES] == [[name] for name in NAMES]
        rows = query.get_usage_summary().rows
        assert sorted((row.provider, row.model) for row in rows) == sorted((name, name) for name in NAMES)

    @pytest.mark.guarantee("G15")
    def test_any_text_names_an_event(self, store: SessionStore, query: QueryAPI) -> None:
        """Check how events are found by session, run, provider and correlation id."""
        for name in NAMES:
            store.save_session(a_session(id=name))
        store.append_events(an_event(name, id=name, run_id=name, provider=name, correlation_id=name) for name in NAMES)
        for field in ("session_ids", "run_ids", "providers", "correlation_id"):
            found = [ids(query.search_events(**{field: name})) for name in NAMES]  # type: ignore[arg-type]
            assert (field, found) == (field, [[name] for name in NAMES])
        assert [store.get_latest_sequence(name) for name in NAMES] == [1] * len(NAMES)

    @pytest.mark.guarantee("G15")
    def test_any_text_names_an_artifact(self, artifacts: ArtifactRegistry) -> None:
        """Check how artifacts are found by key."""
        stored = [
            artifacts.register(
                an_artifact(id=name, key=name, run_id=name, content_type=name, storage_backend=name, storage_ref=name)
            )
            for name in NAMES
        ]
        assert [artifacts.get_by_key(name) for name in NAMES] == stored

    @pytest.mark.guarantee("G10")
    def test_names_sort_by_code_point(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for a collation of a language: ids break ties by code point on every database."""
        session = a_session()
        for name in NAMES:
            store.save_session(a_session(id=name, created_at=session.created_at, updated_at=session.created_at))
        found = [item.id for item in query.search_sessions(order_by="created_at_asc", limit=100)]
        assert found == sorted(NAMES)

    @pytest.mark.guarantee("G15")
    def test_many_values_may_be_given_to_a_filter(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for a limit on the parameters of one statement."""
        session = store.save_session(a_session(id="x 4999", tags=["a"]))
        store.append_event(an_event(session))
        many = [f"x {place}" for place in range(5000)]
        assert query.count_events(session_ids=many) == 1
        assert ids(store.list_sessions(agent_id=[*many, "assistant"])) == ["x 4999"]
        assert query.get_usage_summary(session_id=many).run_count == 0

    @pytest.mark.guarantee("G14")
    @pytest.mark.parametrize("size", [1, 300, MAX_CHOICES])
    def test_a_filter_finds_by_as_many_tags_as_it_may_name(
        self, store: SessionStore, query: QueryAPI, size: int
    ) -> None:
        """Look for a statement that grows with the tags, and for a limit of the database's own."""
        tags = [f"tag {place}" for place in range(size)]
        store.save_session(a_session(id="all", tags=tags))
        store.save_session(a_session(id="all but one", tags=[*tags[1:], "other"]))
        assert ids(query.search_sessions(tags=tags)) == ["all"]
        assert query.search_sessions(tags=[*tags[1:], "missing"]).items == []
