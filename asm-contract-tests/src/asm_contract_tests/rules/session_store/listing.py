"""Sessions: listed."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, at, ids, soft_deleted
from asm_core import SessionStatus, SessionStore


class ListSessionsContract(Contract):
    """`list_sessions` gives the live sessions, newest first."""

    @pytest.fixture
    def five(self, store: SessionStore) -> list[str]:
        """Store five sessions and return their ids, newest first; the middle three are equally old."""
        for name, second in [("b", 1), ("e", 2), ("a", 0), ("d", 1), ("c", 1)]:
            agent = "reader" if name in "ab" else "writer"
            status = "active" if name in "bcd" else "completed"
            store.save_session(a_session(id=name, agent_id=agent, status=status, created_at=at(second)))
        return ["e", "d", "c", "b", "a"]

    def test_an_empty_store_lists_no_sessions(self, store: SessionStore) -> None:
        """Check `find_sessions` for a store without any."""
        assert store.list_sessions() == []

    def test_sessions_are_listed_newest_first(self, store: SessionStore, five: list[str]) -> None:
        """Check the order of `find_sessions`: `created_at` descending, then the id descending."""
        assert ids(store.list_sessions()) == five

    def test_soft_deleted_sessions_are_not_listed(self, store: SessionStore, five: list[str]) -> None:
        """Check `find_sessions`: without `include_deleted` it leaves out what has a `deleted_at`."""
        soft_deleted(store, store.get_session("c"))
        assert ids(store.list_sessions()) == [name for name in five if name != "c"]

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("active", ["d", "c", "b"]),
            (SessionStatus.COMPLETED, ["e", "a"]),
            (["active", SessionStatus.COMPLETED], ["e", "d", "c", "b", "a"]),
            ("failed", []),
            ([], []),
        ],
    )
    @pytest.mark.usefixtures("five")
    def test_sessions_are_listed_by_status(self, store: SessionStore, status: Any, expected: list[str]) -> None:
        """Check how `find_sessions` applies `statuses`: any of them, none for an empty choice."""
        assert ids(store.list_sessions(status=status)) == expected

    @pytest.mark.parametrize(
        ("agent_id", "expected"),
        [
            ("reader", ["b", "a"]),
            (("reader", "writer"), ["e", "d", "c", "b", "a"]),
            ("Reader", []),
            ("nobody", []),
            ((), []),
        ],
    )
    @pytest.mark.usefixtures("five")
    def test_sessions_are_listed_by_agent(self, store: SessionStore, agent_id: Any, expected: list[str]) -> None:
        """Check how `find_sessions` applies `agent_ids`: any of them, exactly."""
        assert ids(store.list_sessions(agent_id=agent_id)) == expected

    @pytest.mark.usefixtures("five")
    def test_filters_of_a_list_apply_together(self, store: SessionStore) -> None:
        """Check how `find_sessions` joins its conditions: by and."""
        assert ids(store.list_sessions(status="active", agent_id="reader")) == ["b"]

    @pytest.mark.parametrize("limit", [1, 2, 4, 5, 6, 2**63 - 1])
    def test_a_limit_cuts_the_list(self, store: SessionStore, five: list[str], limit: int) -> None:
        """Check how `find_sessions` applies `limit`."""
        assert ids(store.list_sessions(limit=limit)) == five[:limit]

    @pytest.mark.parametrize("offset", [0, 1, 4, 5, 6, 2**63 - 1])
    def test_an_offset_skips_the_newest(self, store: SessionStore, five: list[str], offset: int) -> None:
        """Check how `find_sessions` applies `offset` without a limit; some databases need one."""
        assert ids(store.list_sessions(offset=offset)) == five[offset:]

    def test_limit_and_offset_cut_out_a_piece(self, store: SessionStore, five: list[str]) -> None:
        """Check how `find_sessions` applies both: first the offset, then the limit."""
        assert ids(store.list_sessions(limit=2, offset=1)) == five[1:3]

    @pytest.mark.usefixtures("five")
    def test_the_limit_counts_what_passes_the_filters(self, store: SessionStore) -> None:
        """Look for a limit that is applied before the filters."""
        assert ids(store.list_sessions(agent_id="reader", limit=1, offset=1)) == ["a"]
