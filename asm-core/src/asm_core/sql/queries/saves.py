"""The statements that save sessions and runs, for each dialect."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from asm_core.errors import RevisionConflictError, SessionDeletedError, SessionNotFoundError, StorageError
from asm_core.event_log.idempotency import run_refused, run_taken, with_revision
from asm_core.models.statuses import TERMINAL_RUN_STATUSES
from asm_core.sql.dialects import Dialect
from asm_core.sql.queries.counters import making, moving, with_counter
from asm_core.sql.schema.tables import RUN_COLUMNS, SESSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asm_core.models import Run, Session
    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words

_FINAL: Final = ", ".join(f"'{status}'" for status in sorted(TERMINAL_RUN_STATUSES))
_SAVED: Final = [column for column in SESSION_COLUMNS if column not in {"id", "deleted_at", "revision"}]
_RUN_SAVED: Final = [column for column in RUN_COLUMNS if column not in {"id", "session_id", "revision"}]
_OF_SESSION: Final = "r.session_id = excluded.session_id"
_STEPS_ON: Final = f"(r.status = excluded.status OR r.status NOT IN ({_FINAL}))"


class Saving:
    """Saves sessions and runs in one dialect. The caller holds a write transaction.

    A writer locks sessions first, then runs, then counters, then events. Protected fields are conditions of the upsert
    itself, so that no other writer can interfere between a check and the write.
    """

    def __init__(self, words: Words) -> None:
        """Build the statements once."""
        self._codec = words.codec
        mark, sessions = words.mark, words.sessions
        hold = f"SELECT s.deleted_at IS NOT NULL, s.removing_at IS NOT NULL FROM {sessions} s WHERE s.id = {mark}"
        self._hold_session = hold + words.locking("KEY SHARE")
        self._lock_session = hold + words.locking("UPDATE")
        self._make_counter, self._move_counter = making(words), moving(words)
        self._mark_counter = f"UPDATE {words.counters} AS c SET deleted_at = {mark} WHERE c.session_id = {mark}"
        self._stored_session = (
            f"SELECT s.revision, s.removing_at IS NOT NULL FROM {sessions} s WHERE s.id = {mark}"
            + words.locking("KEY SHARE")
        )
        self._stored_run = f"SELECT r.session_id, r.status, r.revision FROM {words.runs} r WHERE r.id = {mark}"
        session = insertion(sessions, "s", SESSION_COLUMNS, words)
        self._add_session = f"{session} ON CONFLICT (id) DO NOTHING"
        self._copy_session = _upsert(session, SESSION_COLUMNS)
        save = f"{_upsert(session, _SAVED)}, revision = s.revision + 1"
        self._counted = words.dialect is Dialect.POSTGRESQL
        kept = f"RETURNING deleted_at{words.utc}, removing_at, revision"
        self._save_session = with_counter(save, words) if self._counted else f"{save} {kept}"
        self._create_session = (
            with_counter(self._add_session, words) if self._counted else f"{self._add_session} {kept}"
        )
        self._update_session = f"{_update(sessions, 's', _SAVED, words)} {kept}"
        run = insertion(words.runs, "r", RUN_COLUMNS, words)
        self._add_run = f"{run} ON CONFLICT {words.run_key} DO NOTHING"
        self._copy_run = f"{_upsert(run, RUN_COLUMNS, words.run_key)} WHERE {_OF_SESSION}"
        save_run = (
            f"{_upsert(run, _RUN_SAVED, words.run_key)}, revision = r.revision + 1 WHERE {_OF_SESSION} AND {_STEPS_ON}"
        )
        self._save_run = f"{save_run} RETURNING revision"
        self._create_run = f"{self._add_run} RETURNING revision"
        update_run = f"{_update(words.runs, 'r', _RUN_SAVED, words)} AND r.session_id = {mark}"
        self._update_run = f"{update_run} AND (r.status = {mark} OR r.status NOT IN ({_FINAL})) RETURNING revision"

    def save_session(self, execute: Execute, session: Session, expected: int | None = None) -> Session:
        """Insert a session, or replace all fields of the stored one except `deleted_at`; return it as stored.

        Raises:
            SessionDeletedError: its removal has begun.
            RevisionConflictError: it has another revision than the expected one.
        """
        row = self._codec.session_row(replace(session, revision=1))
        if expected:
            values = [value for column, value in zip(SESSION_COLUMNS, row, strict=True) if column in _SAVED]
            saved = execute(self._update_session, [*values, session.id, expected]).fetchall()
        else:
            saved = execute(self._save_session if expected is None else self._create_session, row).fetchall()
        if not saved:
            raise self._session_refused(execute, session.id, expected)
        deleted_at, removing_at, revision = saved[0]
        if removing_at is not None:
            raise SessionDeletedError(session.id, in_removal=True)
        if not self._counted and not expected:
            execute(self._make_counter, (session.id,))
        if not self._counted or expected:
            execute(self._move_counter, (session.user_id, session.id, session.user_id))
        deleted_at = None if deleted_at is None else self._codec.decode_time(deleted_at)
        return replace(session, deleted_at=deleted_at, revision=revision)

    def save_run(self, execute: Execute, run: Run, expected: int | None = None) -> Run:
        """Insert a run, or replace all fields of the stored one except the id; return it as stored.

        Raises:
            SessionNotFoundError: its session does not exist.
            SessionDeletedError: its session is soft-deleted.
            AlreadyExistsError: a run of another session has the id.
            RevisionConflictError: it has another revision than the expected one.
            InvalidTransitionError: the stored run has ended with another status.
        """
        # With a row lock, so that the session still exists when the run is written.
        held = execute(self._hold_session, (run.session_id,)).fetchall()
        if not held:
            raise SessionNotFoundError(run.session_id)
        is_deleted, in_removal = held[0]
        if is_deleted:
            raise SessionDeletedError(run.session_id, in_removal=bool(in_removal))
        row = self._codec.run_row(replace(run, revision=1))
        if expected:
            values = [value for column, value in zip(RUN_COLUMNS, row, strict=True) if column in _RUN_SAVED]
            parameters = [*values, run.id, expected, run.session_id, run.status.value]
            saved = execute(self._update_run, parameters).fetchall()
        else:
            saved = execute(self._save_run if expected is None else self._create_run, row).fetchall()
        if not saved:
            raise self._run_refused(execute, run, expected)
        return replace(run, revision=saved[0][0])

    def add(self, execute: Execute, session: Session, runs: Iterable[Run]) -> None:
        """Insert copies of a session and of its runs; stored records do not change.

        Raises:
            SessionDeletedError: the removal of the session has begun.
            AlreadyExistsError: a run of another session has the id of one of them.
        """
        self._hold_for_copy(execute, self._hold_session, session.id)
        execute(self._add_session, self._codec.session_row(with_revision(session)))
        execute(self._make_counter, (session.id,))
        for run in runs:
            if execute(self._add_run, self._codec.run_row(with_revision(run))).rowcount == 0:
                self._check_owner(execute, run)

    def copy(self, execute: Execute, session: Session, runs: Iterable[Run]) -> None:
        """Insert copies of a session and of its runs, or replace stored ones, `deleted_at` included.

        Raises:
            SessionDeletedError: the removal of the session has begun.
            AlreadyExistsError: a run of another session has the id of one of them.
        """
        self._hold_for_copy(execute, self._lock_session, session.id)
        row = self._codec.session_row(with_revision(session))
        execute(self._copy_session, row)
        execute(self._make_counter, (session.id,))
        for run in runs:
            if execute(self._copy_run, self._codec.run_row(with_revision(run))).rowcount == 0:
                self._check_owner(execute, run)
        execute(self._move_counter, (session.user_id, session.id, session.user_id))
        execute(self._mark_counter, (row[SESSION_COLUMNS.index("deleted_at")], session.id))

    def _hold_for_copy(self, execute: Execute, hold: str, session_id: str) -> None:
        for _, in_removal in execute(hold, (session_id,)).fetchall():
            if in_removal:
                raise SessionDeletedError(session_id, in_removal=True)

    def _session_refused(self, execute: Execute, session_id: str, expected: int | None) -> Exception:
        stored = execute(self._stored_session, (session_id,)).fetchall()
        revision, in_removal = stored[0] if stored else (0, False)
        if in_removal:
            return SessionDeletedError(session_id, in_removal=True)
        return RevisionConflictError("session", session_id, expected=expected or 0, stored=revision)

    def _run_refused(self, execute: Execute, run: Run, expected: int | None) -> Exception:
        stored = execute(self._stored_run, (run.id,)).fetchall()
        if not stored:
            return RevisionConflictError("run", run.id, expected=expected or 0, stored=0)
        # An upsert has locked the row that it did not write, so the row has not changed.
        session_id, status, revision = min(stored, key=lambda row: bool(row[0] != run.session_id))
        if expected is not None and session_id == run.session_id and revision != expected:
            return RevisionConflictError("run", run.id, expected=expected, stored=revision)
        message = f"Run {run.id} could not replace the stored run with its id. Run `asm health`."
        return run_refused(session_id, status, run) or StorageError(message)

    def _check_owner(self, execute: Execute, run: Run) -> None:
        for session_id, *_ in execute(self._stored_run, (run.id,)).fetchall():
            if session_id != run.session_id:
                raise run_taken(session_id, run)


def insertion(table: str, alias: str, columns: Sequence[str], words: Words) -> str:
    """Return the statement that inserts a row."""
    marks = ", ".join([words.mark] * len(columns))
    return f"INSERT INTO {table} AS {alias} ({', '.join(columns)}) VALUES ({marks})"


def _update(table: str, alias: str, columns: Sequence[str], words: Words) -> str:
    """Return the statement that replaces a row which has the expected revision."""
    changes = ", ".join(f"{column} = {words.mark}" for column in columns)
    return (
        f"UPDATE {table} AS {alias} SET {changes}, revision = {alias}.revision + 1 "
        f"WHERE {alias}.id = {words.mark} AND {alias}.revision = {words.mark}"
    )


def _upsert(insert: str, columns: Sequence[str], key: str = "(id)") -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column != "id")
    return f"{insert} ON CONFLICT {key} DO UPDATE SET {changes}"


@lru_cache(maxsize=64)
def saving_in(words: Words) -> Saving:
    """Return the saves of a dialect and schema."""
    return Saving(words)
