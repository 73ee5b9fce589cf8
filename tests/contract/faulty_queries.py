"""Query APIs with one fault each, and the test that is meant to catch it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from fault_registry import caught_by

from asm_core import InvalidCursorError, Page
from asm_core.memory.query_api import MemoryQueryAPI
from asm_core.memory.reader import MemoryReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asm_core import Event, Run, Session, SessionExport
    from asm_core.querying.accounting.summaries import CostTotals
    from asm_core.querying.queries import EventQuery, RunQuery, SessionQuery, UsageQuery

changed = msgspec.structs.replace


@caught_by("test_ties_come_in_the_order_of_the_whole_key")
class TiesByIdUpwards(MemoryReader):
    def find_sessions(self, query: SessionQuery) -> list[Session]:
        found = sorted(super().find_sessions(query), key=lambda session: session.id)
        found.sort(key=lambda session: getattr(session, query.order.key[0]), reverse=query.order.descending)
        return found


@caught_by("test_no_public_method_of_a_port_is_overridden")
class CursorOfAnotherOrderAccepted(MemoryQueryAPI):
    def search_runs(self, **arguments: Any) -> Page[Run]:  # type: ignore[override]
        try:
            return super().search_runs(**arguments)
        except InvalidCursorError:
            return super().search_runs(**{**arguments, "cursor": None})


@caught_by("test_sessions_carry_all_the_tags_searched_for")
class TagsMatchedByAny(MemoryReader):
    def passing_sessions(self, query: SessionQuery) -> Iterable[Session]:
        found = super().passing_sessions(changed(query, tags=()))
        return [session for session in found if not query.tags or set(query.tags) & set(session.tags)]


@caught_by("test_pages_together_are_the_whole", "test_no_public_method_of_a_port_is_overridden")
class LimitIgnoredInSearches(MemoryQueryAPI):
    def search_events(self, **arguments: Any) -> Page[Event]:  # type: ignore[override]
        return super().search_events(**{**arguments, "limit": 100})


@caught_by("test_pages_together_are_the_whole")
class TiesLostBetweenPages(MemoryReader):
    def find_runs(self, query: RunQuery) -> list[Run]:
        if query.after_key is None:
            return super().find_runs(query)
        found = super().find_runs(changed(query, after_key=None, limit=None))
        first, *_ = query.order.key
        behind = [run for run in found if (getattr(run, first) > query.after_key[0]) is not query.order.descending]
        return [run for run in behind if getattr(run, first) != query.after_key[0]][: query.limit]


@caught_by("test_every_page_counts_all_sessions")
class TotalOfThePageOnly(MemoryQueryAPI):
    def _count_sessions(self, query: SessionQuery) -> int:
        return len(self.reader.find_sessions(query))


@caught_by("test_a_session_with_several_runs_is_found_once")
class JoinMultipliesSessions(MemoryReader):
    def passing_sessions(self, query: SessionQuery) -> Iterable[Session]:
        found = super().passing_sessions(query)
        if query.providers is None:
            return found
        return [one for one in found for run in self._state.runs.values() if run.session_id == one.id]


@caught_by("test_events_are_searched_and_counted_by_each_filter")
class UntilInclusive(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        found = super().find_events(changed(query, until=None))
        return [event for event in found if query.until is None or event.timestamp <= query.until]


@caught_by("test_found_texts_pass_each_filter")
class TextsOfAllAgents(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        return super().find_events(changed(query, agent_ids=None))


@caught_by("test_found_texts_pass_each_filter")
class TextsOfDeletedSessions(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        return super().find_events(changed(query, live_only=False))


@caught_by("test_events_with_all_words_are_found")
class OnlyASCIIFolded(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        words = query.text.words if query.text else ()
        return [event for event in super().find_events(query) if all(word in str(event.data).lower() for word in words)]


@caught_by("test_pages_of_found_texts_are_the_whole")
class LimitAppliedBeforeTheText(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        found = super().find_events(changed(query, text=None))
        return [event for event in found if query.text is None or query.text.matches(event.data)]


@caught_by("test_many_small_costs_are_added_up_exactly")
class MoneyInFloats(MemoryQueryAPI):
    def _total_costs(self, query: UsageQuery) -> list[CostTotals]:
        rows = super()._total_costs(query)
        costs = [float(run.cost_usd or 0) for run in self._state.runs.values()]
        total = 0.0
        for cost in costs:
            total += cost
        return [changed(row, cost_usd=Decimal(total)) for row in rows]


@caught_by("test_usage_is_summed_up_by_provider_and_model")
class UsageOfLiveSessionsOnly(MemoryQueryAPI):
    def _counts(self, run: Run, session: Session, query: UsageQuery) -> bool:
        return super()._counts(run, session, query) and session.deleted_at is None


@caught_by("test_an_export_keeps_the_last_number_of_a_pruned_event")
class LastNumberOfWhatIsLeft(MemoryQueryAPI):
    def export_session(self, session_id: str, *, include_artifacts: bool = False) -> SessionExport:
        export = super().export_session(session_id, include_artifacts=include_artifacts)
        return changed(export, last_sequence=max((event.sequence_number or 0 for event in export.events), default=0))


@caught_by("test_what_is_stored_meanwhile_moves_no_page")
class PagesByOffset(MemoryReader):
    def find_sessions(self, query: SessionQuery) -> list[Session]:
        seen: dict[Any, int] = self.__dict__.setdefault("seen", {})
        offset = seen.get(query.after_key, 0) if query.after_key else 0
        found = super().find_sessions(changed(query, after_key=None, limit=None))[offset : offset + (query.limit or 50)]
        for place, session in enumerate(found, offset + 1):
            seen[query.order.key_of(session)] = place
        return found


@caught_by("test_the_last_events_are_read_by_number", "test_events_that_were_just_appended_are_the_last")
class LimitAppliedBeforeTheDirection(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        if query.order.name != "sequence_desc" or query.after_key is not None:
            return super().find_events(query)
        return super().find_events(changed(query, order=changed(query.order, descending=False)))[::-1]


@caught_by("test_the_last_events_are_right_after_pruning")
class LastNumbersByTheCounter(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        if query.order.name == "sequence_desc" and query.session_ids and query.limit:
            last = self._state.counters.get(query.session_ids[0], 0)
            query = changed(query, after=max(query.after or 0, last - query.limit))
        return super().find_events(query)


@caught_by("test_pages_by_number_continue_in_the_next_session")
class PagesDownWithinOneSession(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        found = super().find_events(query)
        if query.order.name != "sequence_desc" or query.after_key is None:
            return found
        return [event for event in found if event.session_id == query.after_key[0]]


@caught_by("test_an_unknown_event_is_not_found")
class EventOfAnotherSessionFound(MemoryReader):
    def find_events(self, query: EventQuery) -> list[Event]:
        return super().find_events(query if query.ids is None else changed(query, session_ids=None))


@caught_by("test_a_page_takes_as_much_memory_of_a_large_store_as_of_a_small_one")
class ReadAsAWholeAndCut(MemoryReader):
    def find_runs(self, query: RunQuery) -> list[Run]:
        return super().find_runs(changed(query, limit=None))[: query.limit]


@caught_by("test_token_counts_come_back_as_token_usage")
class TokenCountsAsPlainDicts(MemoryReader):
    def load_run(self, run_id: str) -> Run | None:
        run = super().load_run(run_id)
        return None if run is None else changed(run, token_usage=dict(run.token_usage))
