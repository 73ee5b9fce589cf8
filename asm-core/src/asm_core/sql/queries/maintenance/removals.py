"""Removal of sessions with all their records, a bounded number of rows at a time.

A session is marked first. From then on every read leaves it out and every write to it is rejected, so that the rest can
take any number of transactions: events from the newest on, then runs, then counter and session. The counter, which
has no other use any more, stores the progress: an interrupted removal continues there, without scanning removed rows.

All rows are deleted explicitly, because cascading foreign keys are disabled while a replica applies changes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from asm_core.models.base import MAX_INTEGER
from asm_core.retention import Removal
from asm_core.sql.queries.locks import lock_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words


class Removing:
    """Removes sessions in one dialect, inside the caller's write transaction.

    Sessions are locked first, by id, then counters by session id: in the order in which all writers lock. A run or an
    event is never locked without its session.
    """

    def __init__(self, words: Words) -> None:
        """Build the statements once."""
        self._words, self._codec = words, words.codec
        mark, among, lock = words.mark, words.one_of, words.locking("UPDATE")
        sessions, counters, events, runs = words.sessions, words.counters, words.events, words.runs
        self._hold_sessions = f"SELECT s.id FROM {sessions} s WHERE s.id {among} ORDER BY s.id{lock}"
        self._hold_counters = (
            f"SELECT c.session_id FROM {counters} c WHERE c.session_id {among} ORDER BY c.session_id{lock}"
        )
        self._mark_sessions = (
            f"UPDATE {sessions} AS s SET removing_at = {mark}, deleted_at = COALESCE(s.deleted_at, {mark}) "
            f"WHERE s.id {among} AND s.removing_at IS NULL"
        )
        # A number after the counter's is a fault, but the event must be removed too.
        last = f"(SELECT MAX(e.sequence_number) FROM {events} e WHERE e.session_id = c.session_id)"
        self._mark_counters = (
            f"UPDATE {counters} AS c SET deleted_at = COALESCE(c.deleted_at, {mark}), "
            f"last_sequence = {words.greatest}(c.last_sequence, COALESCE({last}, 0)) WHERE c.session_id {among}"
        )
        self._marked = (
            f"SELECT s.id FROM {sessions} s WHERE s.removing_at IS NOT NULL AND s.id > {mark} ORDER BY s.id LIMIT "
        )
        self._hold_marked = (
            f"SELECT s.id FROM {sessions} s WHERE s.id {among} AND s.removing_at IS NOT NULL ORDER BY s.id{lock}"
        )
        self._heads = f"SELECT c.session_id, c.last_sequence FROM {counters} c WHERE c.session_id {among}"
        self._set_head = f"UPDATE {counters} AS c SET last_sequence = {mark} WHERE c.session_id = {mark}"
        up_to = f"FROM {events} AS e WHERE e.session_id = {mark} AND e.sequence_number <= {mark}"
        self._next_head = f"SELECT MAX(e.sequence_number) {up_to}"
        self._delete_events = f"DELETE {up_to} AND e.sequence_number > {mark}"
        # By a range of the index: without statistics, a list of ids would make PostgreSQL read all runs of the session.
        first = (
            f"SELECT r.started_at, r.id FROM {runs} r WHERE r.session_id = {mark} "
            f"ORDER BY r.started_at, r.id {words.at_most.format('{limit}')}"
        )
        last_of_first = f"SELECT f.started_at, f.id FROM ({first}) f ORDER BY f.started_at DESC, f.id DESC LIMIT 1"
        self._delete_runs = (
            f"DELETE FROM {runs} AS r WHERE r.session_id = {mark} AND (r.started_at, r.id) <= ({last_of_first})"
        )
        self._delete_counters = f"DELETE FROM {counters} AS c WHERE c.session_id {among}"
        self._delete_sessions = f"DELETE FROM {sessions} AS s WHERE s.id {among}"

    def mark(self, execute: Execute, session_ids: Sequence[str], at: datetime) -> None:
        """Mark sessions, unless they are marked."""
        listed, time = self._hold(execute, session_ids), self._codec.encode_time(at)
        execute(self._mark_counters, (time, listed))
        execute(self._mark_sessions, (time, time, listed))

    def marked(self, execute: Execute, after: str, limit: int) -> list[str]:
        """Return at most `limit` ids of marked sessions, in order, after an id."""
        return [row[0] for row in execute(f"{self._marked}{limit}", (after,)).fetchall()]

    def remove(self, execute: Execute, session_ids: Sequence[str], limit: int) -> Removal:
        """Remove up to `limit` events and `limit` runs of marked sessions, and marked sessions without any."""
        ids = [row[0] for row in lock_rows(execute, self._words, self._hold_marked, session_ids)]
        lock_rows(execute, self._words, self._hold_counters, ids)
        heads = dict(execute(self._heads, (self._codec.encode_several(ids),)).fetchall())
        events = runs = 0
        empty = []
        for session_id in ids:
            removed, is_empty = self._remove_events(execute, session_id, heads.get(session_id), limit - events)
            events += removed
            if is_empty and runs < limit:
                removed = execute(self._delete_runs.format(limit=limit - runs), (session_id, session_id)).rowcount
                runs += removed
                # At the limit of runs, there may be more.
                if runs < limit:
                    empty.append(session_id)
            if events >= limit or runs >= limit:
                break
        gone = self._codec.encode_several(empty)
        execute(self._delete_counters, (gone,))
        sessions = execute(self._delete_sessions, (gone,)).rowcount
        return Removal(sessions=sessions, runs=runs, events=events)

    def _hold(self, execute: Execute, session_ids: Sequence[str]) -> str:
        """Lock sessions and their counters; return the ids of existing ones, as one parameter."""
        held = [row[0] for row in lock_rows(execute, self._words, self._hold_sessions, session_ids)]
        lock_rows(execute, self._words, self._hold_counters, held)
        return self._codec.encode_several(held)

    def _remove_events(self, execute: Execute, session_id: str, head: int | None, limit: int) -> tuple[int, bool]:
        """Remove the newest events of a session; return their number, and whether none is left.

        It uses ranges of numbers, so that no query plan can scan more of them.
        """
        removed = 0
        while removed < limit and (head := self._head(execute, session_id, head)):
            low = max(0, head - (limit - removed))
            removed += execute(self._delete_events, (session_id, head, low)).rowcount
            head = low
        if head:
            execute(self._set_head, (head, session_id))
        return removed, not head

    def _head(self, execute: Execute, session_id: str, head: int | None) -> int:
        """Return the greatest stored number up to a limit."""
        if head == 0:
            return 0
        found = execute(self._next_head, (session_id, MAX_INTEGER if head is None else head)).fetchall()
        return found[0][0] or 0


@lru_cache(maxsize=64)
def removing_in(words: Words) -> Removing:
    """Return the removals of a dialect and schema."""
    return Removing(words)
