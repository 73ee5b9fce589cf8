"""The steps of a maintenance pass, on the primitives of a store.

Candidates are searched without a lock. Then a batch of them is checked again and processed in one transaction with a
bounded number of rows, so that an interrupted step keeps its committed batches. Each step continues after the last id
that it searched, so that a dry run, which removes nothing, takes the same path as a real one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from asm_core.retention.archive import Archive
from asm_core.retention.pruning import Pruning
from asm_core.retention.questions import (
    DeletedSessions,
    Exemption,
    ExpiredSessions,
    OversizedSessions,
    RemovableArtifacts,
)
from asm_core.retention.reasons import why_expired, why_pruned, why_removed
from asm_core.retention.stretches import count_up_to, stretches
from asm_core.values.times import days_before, utc_now
from asm_core.values.user_namespaces import user_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asm_core.models import Session
    from asm_core.retention.policy import RetentionPolicy
    from asm_core.retention.questions import Found
    from asm_core.retention.store import Planned, Progress, RetentionStore


class Steps:
    """The steps of one policy at one time."""

    def __init__(
        self,
        store: RetentionStore,
        policy: RetentionPolicy,
        *,
        dry_run: bool,
        progress: Progress | None,
        planned: Planned | None = None,
    ) -> None:
        """Fix the time: an item that expires during the pass waits for the next one."""
        self._store = store
        self._policy = policy
        self._dry_run = dry_run
        self._progress = progress
        self._planned = planned if dry_run else None
        self._now = utc_now()
        self._exempt = Exemption(statuses=policy.exempt_statuses, tags=policy.exempt_tags)
        self._due = days_before(self._now, policy.hard_delete_after_days)
        self.events_removed = 0
        archive = None if dry_run else policy.archive_store
        self._archive = None if archive is None else Archive(store, archive)
        self._pruning = Pruning(
            store,
            policy,
            exempt=self._exempt,
            due=self._due,
            archive=self._archive,
            report=self._report,
            dry_run=dry_run,
        )

    def soft_delete(self) -> int:
        """Soft-delete expired sessions."""
        query = ExpiredSessions(
            exempt=self._exempt,
            created_before=days_before(self._now, self._policy.max_session_age_days),
            ended_before=days_before(self._now, self._policy.max_completed_session_age_days),
            idle_before=days_before(self._now, self._policy.max_idle_days),
            limit=self._policy.batch_size,
        )
        if query.created_before is None and query.ended_before is None and query.idle_before is None:
            return 0
        return self._in_batches(
            "sessions_soft_deleted",
            query,
            self._store.find_expired,
            lambda ids: self._store.soft_delete_sessions(ids, self._now),
            lambda session: why_expired(session, self._policy, query),
        )

    def hard_delete(self) -> int:
        """Complete earlier removals, then remove sessions that were soft-deleted long enough ago."""
        removed = self._removed_later() if self._dry_run else self._remove()
        if self._due is None:
            return removed
        query = DeletedSessions(exempt=self._exempt, deleted_before=self._due, limit=self._policy.batch_size)
        for ids in self._found(query, self._store.find_deleted):
            if self._dry_run:
                removed += self._count_removal(ids)
            else:
                self._begin_removal(msgspec.structs.replace(query, ids=tuple(ids)))
                removed += self._remove()
        return removed

    def prune_each(self) -> int:
        """Prune every session that has too many events."""
        most = self._policy.max_events_per_session
        if most is None:
            return 0
        query = OversizedSessions(
            exempt=self._exempt, max_events=most, deleted_before=self._due, limit=self._policy.batch_size
        )
        pruned = 0
        for ids in self._found(query, self._store.find_oversized):
            for session_id in ids:
                if count_up_to(self._store, session_id, most + 1) > most:
                    count = self._pruning.prune(session_id, most)
                    self._plan("events_pruned", [session_id], partial(why_pruned, count, most))
                    pruned += count
        return pruned

    def prune_session(self, session_id: str) -> int:
        """Prune one session, unless it is exempt."""
        most = self._policy.max_events_per_session
        return 0 if most is None else self._pruning.prune(session_id, most)

    def prune_total(self, *, already_gone: int) -> int:
        """Prune the oldest events of the store; `already_gone` counts those that a dry run would have pruned."""
        most = self._policy.max_total_events
        if most is None:
            return 0
        return self._pruning.prune(None, most + (already_gone + self.events_removed if self._dry_run else 0))

    def remove_records_of(self, user_id: str) -> int:
        """Remove the records of state in the namespaces of a user."""
        prefix, total = user_prefix(user_id), 0
        while True:
            with self._store.batch():
                removed = self._store.remove_records(prefix, self._policy.batch_size)
            total += removed
            if removed < self._policy.batch_size:
                return total

    def remove_artifacts(self) -> int:
        """Remove the metadata of artifacts that are orphaned, or were deleted long enough ago."""
        query = RemovableArtifacts(
            exempt=self._exempt,
            deleted_before=self._due,
            gone_before=self._due if self._dry_run else None,
            limit=self._policy.batch_size,
        )
        return self._in_batches("artifacts_removed", query, self._store.find_removable, self._store.remove_artifacts)

    def remove_records(self) -> int:
        """Remove the records of state that have expired."""
        if self._dry_run:
            total = self._store.count_expired_records(self._now)
            self._report("records_removed", total)
            return total
        total, limit = 0, self._policy.batch_size
        while True:
            with self._store.batch():
                removed = self._store.remove_expired_records(self._now, limit)
            total += removed
            self._report("records_removed", removed)
            if removed < limit:
                return total

    # -- removing sessions ---------------------------------------------------------------------------------------------

    def _begin_removal(self, query: DeletedSessions) -> None:
        """Mark sessions after they are archived. From then on their removal continues, in this pass or a later one."""
        archived = {} if self._archive is None else self._archive.add_whole(query.ids or ())
        with self._store.batch():
            found = self._store.find_deleted(query).ids
            if self._archive is not None:
                # Sessions that changed after they were archived wait for the next pass.
                found = [one for one in found if one in archived and self._archive.state_of(one) == archived[one]]
            if found:
                self._store.mark_removals(found, self._now)

    def _remove(self) -> int:
        """Remove all marked sessions, a batch of rows at a time; return the number of completed removals."""
        sessions = 0
        while True:
            with self._store.batch():
                removal = self._store.remove_marked(self._policy.batch_size)
            sessions += removal.sessions
            self.events_removed += removal.events
            self._report("events_removed", removal.events)
            self._report("sessions_hard_deleted", removal.sessions)
            if not (removal.sessions or removal.runs or removal.events):
                return sessions

    def _removed_later(self) -> int:
        """Count the marked sessions, for a dry run."""
        count, after = 0, ""
        while found := self._store.find_marked(after, self._policy.batch_size):
            count, after = count + self._count_removal(found), found[-1]
        return count

    def _count_removal(self, session_ids: list[str]) -> int:
        self._plan("sessions_hard_deleted", session_ids, lambda session: why_removed(session, self._policy))
        for session_id in session_ids:
            events = sum(stretch.count for stretch in stretches(self._store, session_id))
            self.events_removed += events
            self._report("events_removed", events)
        self._report("sessions_hard_deleted", len(session_ids))
        return len(session_ids)

    # ----------------------------------------------------------------------------------------------------------------

    def _in_batches(
        self,
        step: str,
        query: Any,
        find: Callable[[Any], Found],
        apply: Callable[[list[str]], object],
        why: Callable[[Session], str] | None = None,
    ) -> int:
        count = 0
        for ids in self._found(query, find):
            if why is not None:
                self._plan(step, ids, why)
            done = ids if self._dry_run else self._do(query, ids, find, apply)
            count += len(done)
            self._report(step, len(done))
        return count

    def _do(
        self, query: Any, ids: list[str], find: Callable[[Any], Found], apply: Callable[[list[str]], object]
    ) -> list[str]:
        """Process a batch of the items that still match; return these."""
        with self._store.batch():
            found = find(msgspec.structs.replace(query, ids=tuple(ids))).ids
            if found:
                apply(found)
        return found

    def _found(self, query: Any, find: Callable[[Any], Found]) -> Iterator[list[str]]:
        """Yield the results of a query, search by search."""
        while True:
            found = find(query)
            if found.ids:
                yield found.ids
            if found.after is None:
                return
            query = msgspec.structs.replace(query, after=found.after)

    def _plan(self, step: str, session_ids: list[str], why: Callable[[Session], str]) -> None:
        """Pass on what a dry run would do to sessions."""
        for session_id in session_ids if self._planned else ():
            session = self._store.load_session(session_id)
            if self._planned is not None and session is not None:
                self._planned(step, session_id, why(session))

    def _report(self, step: str, count: int) -> None:
        if self._progress is not None and count:
            self._progress(step, count)
