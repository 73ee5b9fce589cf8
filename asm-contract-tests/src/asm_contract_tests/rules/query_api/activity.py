"""Searching sessions by activity, user, title and parent."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import MICROSECOND, a_session, an_event, at, changed, deleted, ids, soft_deleted
from asm_core import Maintenance, QueryAPI, RetentionPolicy, SessionStore, ValidationError
from asm_core.querying.pages import all_items


class ActivityContract(Contract):
    """A session is active at the latest of its creation and of the timestamps of its events, in whole seconds."""

    @pytest.fixture
    def used_sessions(self, store: SessionStore) -> None:
        """Store u1 to u5, created in this order, with events in another; u4 is soft-deleted, and u5 has no events."""
        titles = ["STRASSE nach Łódź", "The Plan", None, "the plan", "100% of_it\\"]
        for place, title in enumerate(titles, 1):
            store.save_session(
                a_session(
                    id=f"u{place}",
                    user_id="ann" if place % 2 else "bob",
                    title=title,
                    parent_session_id="u1" if place in {2, 3} else None,
                    created_at=at(place),
                )
            )
        for name, second in [("u1", 60.9), ("u3", 20), ("u2", 40), ("u2", 10), ("u4", 50)]:
            store.append_event(an_event(name, timestamp=at(second)))
        soft_deleted(store, store.get_session("u4"))

    @pytest.mark.usefixtures("used_sessions")
    def test_sessions_come_last_active_first_if_nothing_else_is_asked(self, query: QueryAPI) -> None:
        """Check how `find_active` sorts, and which time an append keeps: the latest, not that of the last event."""
        assert ids(query.search_sessions()) == ["u1", "u2", "u3", "u5"]
        assert query.search_sessions() == query.search_sessions(order_by="active_at_desc")
        assert ids(query.search_sessions(include_deleted=True)) == ["u1", "u4", "u2", "u3", "u5"]

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"user_id": "ann"}, ["u1", "u3", "u5"]),
            ({"user_id": ["ann", "bob"]}, ["u1", "u2", "u3", "u5"]),
            ({"user_id": "nobody"}, []),
            ({"user_id": []}, []),
            ({"user_id": "bob", "include_deleted": True}, ["u4", "u2"]),
            ({"parent_session_id": "u1"}, ["u2", "u3"]),
            ({"parent_session_id": ["u1", "u2"], "user_id": "ann"}, ["u3"]),
            ({"parent_session_id": "u2"}, []),
            ({"active_after": at(40)}, ["u1"]),
            ({"active_after": at(40) - MICROSECOND}, ["u1", "u2"]),
            ({"active_before": at(20)}, ["u5"]),
            ({"active_before": at(20) + MICROSECOND}, ["u3", "u5"]),
            ({"active_after": at(60), "active_before": at(70)}, []),
            ({"active_after": at(5) - MICROSECOND, "active_before": at(60)}, ["u2", "u3", "u5"]),
            ({"active_after": at(10), "user_id": "ann"}, ["u1", "u3"]),
        ],
    )
    @pytest.mark.parametrize("order", ["active_at_desc", "created_at_asc", "updated_at_desc"])
    @pytest.mark.usefixtures("used_sessions")
    def test_sessions_are_searched_by_user_parent_and_activity(
        self, query: QueryAPI, filters: dict[str, Any], expected: list[str], order: str
    ) -> None:
        """Check how `find_sessions`, `find_active` and `_count_sessions` apply these filters."""
        page = query.search_sessions(order_by=order, count=True, **filters)
        assert sorted(ids(page)) == sorted(expected)
        assert page.total_count == len(expected)
        if order == "active_at_desc":
            assert ids(page) == expected

    @pytest.mark.parametrize(
        ("title", "expected"),
        [
            ("plan", ["u2"]),
            ("THE PLAN", ["u2"]),
            ("straße", ["u1"]),
            ("ŁÓDŹ", ["u1"]),
            ("nach ł", ["u1"]),
            ("%", ["u5"]),
            ("_", ["u5"]),
            ("\\", ["u5"]),
            ("e", ["u1", "u2"]),
            ("unknown", []),
        ],
    )
    @pytest.mark.usefixtures("used_sessions")
    def test_sessions_are_searched_by_a_part_of_the_title(
        self, query: QueryAPI, title: str, expected: list[str]
    ) -> None:
        """Look for a search that folds ASCII letters only, or one with wildcards."""
        page = query.search_sessions(title=title, count=True)
        assert (ids(page), page.total_count) == (expected, len(expected))
        assert sorted(ids(query.search_sessions(title=title, order_by="created_at_desc"))) == expected

    @pytest.mark.parametrize("arguments", [{"title": ""}, {"title": ["a"]}, {"title": 1}, {"user_id": ""}], ids=repr)
    def test_senseless_filters_by_user_and_title_are_refused(self, query: QueryAPI, arguments: dict[str, Any]) -> None:
        """Check `search_sessions`: each argument is checked before the store is asked."""
        with pytest.raises(ValidationError):
            query.search_sessions(**arguments)

    @pytest.mark.usefixtures("used_sessions")
    def test_sessions_of_a_user_are_listed(self, store: SessionStore) -> None:
        """Check `list_sessions`: the filter by user."""
        assert ids(store.list_sessions(user_id="ann")) == ["u5", "u3", "u1"]
        assert ids(store.list_sessions(user_id=["bob", "nobody"])) == ["u2"]
        assert store.list_sessions(user_id=[]) == []

    @pytest.mark.usefixtures("used_sessions")
    def test_pages_are_counted_only_if_asked(self, query: QueryAPI) -> None:
        """Check `search_sessions`: `total_count` is None without `count`."""
        assert query.search_sessions().total_count is None
        assert query.search_sessions(user_id=[]).total_count is None
        assert query.search_sessions(user_id=[], count=True).total_count == 0
        assert query.search_sessions(limit=1, count=True).total_count == 4

    def test_user_and_title_are_kept(self, store: SessionStore) -> None:
        """Check `save_session`: both fields come back, and a later save replaces them."""
        session = store.save_session(a_session(user_id="ann", title="Plan  ẞ"))
        assert store.get_session(session.id) == session
        again = store.save_session(changed(session, user_id=None, title=None))
        assert store.get_session(session.id) == again
        assert (again.user_id, again.title) == (None, None)

    @pytest.mark.usefixtures("used_sessions")
    def test_a_session_of_another_user_is_found_with_that_user(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for an index by user that a save or a copy does not change."""
        store.save_session(changed(store.get_session("u1"), user_id="bob"))
        store.restore_session(changed(store.get_session("u3"), user_id=None), replace=True)
        assert ids(query.search_sessions(user_id="bob")) == ["u1", "u2"]
        assert ids(query.search_sessions(user_id="ann")) == ["u5"]

    @pytest.mark.usefixtures("used_sessions")
    def test_a_later_save_is_no_activity(self, store: SessionStore, query: QueryAPI) -> None:
        """Check `save_session`: only events and the creation count."""
        store.save_session(changed(store.get_session("u5"), created_at=at(99), updated_at=at(99)))
        assert ids(query.search_sessions()) == ["u1", "u2", "u3", "u5"]

    @pytest.mark.usefixtures("used_sessions")
    def test_batches_and_copies_are_activity(self, store: SessionStore, query: QueryAPI) -> None:
        """Check `append_events` and `restore_session`: the latest timestamp of each session counts."""
        store.append_events(an_event(name, timestamp=at(s)) for name, s in [("u5", 200), ("u3", 70), ("u5", 61)])
        assert ids(query.search_sessions(active_after=at(60))) == ["u5", "u3"]
        store.append_events(an_event("u3", timestamp=at(second)) for second in (299, 300.5, 10))
        assert ids(query.search_sessions(active_after=at(60))) == ["u3", "u5"]
        copy = an_event("u2", timestamp=at(400)).numbered(9)
        store.restore_session(store.get_session("u2"), events=[copy])
        store.restore_session(store.get_session("u2"), events=[copy])
        assert ids(query.search_sessions(active_after=at(60))) == ["u2", "u3", "u5"]

    @pytest.mark.guarantee("G3")
    @pytest.mark.usefixtures("used_sessions")
    def test_a_repeat_is_no_activity(self, store: SessionStore, query: QueryAPI) -> None:
        """Look for an append that keeps the time of an event that it does not store."""
        store.append_event(an_event("u5", id="told", timestamp=at(6)))
        store.append_event(an_event("u5", id="told", timestamp=at(500)))
        store.append_events([an_event("u5", id="told", timestamp=at(500)), an_event("u3", timestamp=at(21))])
        assert ids(query.search_sessions()) == ["u1", "u2", "u3", "u5"]

    @pytest.mark.usefixtures("used_sessions")
    def test_pruning_keeps_the_activity(self, store: SessionStore, query: QueryAPI, maintenance: Maintenance) -> None:
        """Look for an activity that is computed from the events that are left."""
        maintenance.prune_session_events("u2", RetentionPolicy(max_events_per_session=0))
        assert store.get_events("u2") == []
        assert ids(query.search_sessions()) == ["u1", "u2", "u3", "u5"]

    @pytest.mark.usefixtures("used_sessions")
    def test_an_undeleted_session_has_its_activity(
        self, store: SessionStore, query: QueryAPI, maintenance: Maintenance
    ) -> None:
        """Check the order after `deleted_at` changes in each way."""
        maintenance.undelete_session("u4")
        maintenance.soft_delete_session("u1")
        store.restore_session(deleted(store.get_session("u2")), replace=True)
        assert ids(query.search_sessions()) == ["u4", "u3", "u5"]

    @pytest.mark.guarantee("G14")
    @pytest.mark.parametrize("order", ["created_at_asc", "created_at_desc", "active_at_desc", "updated_at_desc"])
    def test_a_session_touched_between_pages_is_not_shown_twice(
        self, store: SessionStore, query: QueryAPI, order: str
    ) -> None:
        """Look for a page that repeats a session; an order by creation does not lose one either."""
        for place in range(9):
            store.save_session(a_session(id=f"t{place}", created_at=at(place), updated_at=at(place)))
        shown: list[str] = []
        for session in all_items(query.search_sessions, order_by=order, limit=2):
            assert session.id not in shown  # at once: such pages may have no end
            shown.append(session.id)
            for name in (session.id, "t4"):
                later = at(100 + len(shown))
                store.append_event(an_event(name, timestamp=later))
                store.save_session(changed(store.get_session(name), updated_at=later))
        if order.startswith("created"):
            assert len(shown) == 9
