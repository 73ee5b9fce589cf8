"""The types of the ports for asyncio. Do not edit: `nox -s stubs` writes this file from the synchronous ports."""

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from asm_core.aio.facade import Port
from asm_core.event_log.erasing import Erased
from asm_core.models import Artifact, Event, EventType, Run, RunStatus, Session, SessionStatus, StoredEvent
from asm_core.models.state_record import StateRecord
from asm_core.ports import ExecutionResult
from asm_core.querying.accounting.prices import Prices, PricingTable
from asm_core.querying.accounting.summaries import ArtifactStats, SessionExport, SessionStats
from asm_core.querying.accounting.usage import CostSummary, UsageSummary
from asm_core.querying.pages import Page
from asm_core.recording.execution.listeners import OnEvent
from asm_core.recording.execution.options import ContinuationChoice
from asm_core.recording.execution.results import RunResult
from asm_core.retention import Compaction, MaintenanceReport, Planned, Progress, RetentionPolicy
from asm_core.values.payloads import Payload

class SessionStore(Port):
    async def save_session(self, session: Session, *, expected_revision: int | None = None) -> Session:
        """Insert the session, or replace the stored one except for `deleted_at`; return it as stored."""
    async def update_session(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        """Read the session, save what `change` returns for it, and return that as stored. No update is lost."""
    async def get_session(self, session_id: str) -> Session:
        """Return the session, also if it is soft-deleted."""
    async def list_sessions(
        self,
        *,
        status: SessionStatus | str | Iterable[SessionStatus | str] | None = None,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Session]:
        """Return the sessions that are not soft-deleted, newest first (`created_at`, then id, descending)."""
    async def delete_session(self, session_id: str) -> None:
        """Remove the session with its runs and events permanently. If it does not exist, this is a no-op."""
    async def save_run(self, run: Run, *, expected_revision: int | None = None) -> Run:
        """Insert the run, or replace the stored one; return it as stored."""
    async def update_run(self, run_id: str, change: Callable[[Run], Run]) -> Run:
        """Read the run, save what `change` returns for it, and return that as stored, as `update_session` does."""
    async def get_run(self, run_id: str) -> Run:
        """Return the run."""
    async def list_runs(
        self,
        session_id: str,
        *,
        status: RunStatus | str | Iterable[RunStatus | str] | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Return the runs of a session, oldest first (`started_at`, then id)."""
    async def get_active_run(self, session_id: str) -> Run | None:
        """Return the newest running run of a session, or None."""
    async def append_event(self, event: Event) -> StoredEvent:
        """Append an event to its session's log and return it as stored, with its `sequence_number`."""
    async def append_events(self, events: Iterable[Event]) -> list[StoredEvent]:
        """Append events, all or none, and return them as stored, in the given order."""
    async def flush(self, result: ExecutionResult) -> list[StoredEvent]:
        """Store the session, run and events of an execution, all or nothing; return the events as stored."""
    async def get_events(
        self,
        session_id: str,
        *,
        run_id: str | Iterable[str] | None = None,
        type: EventType | str | Iterable[EventType | str] | None = None,
        since: datetime | None = None,
        after: int | Event | None = None,
        before: int | None = None,
        limit: int | None = None,
        order: str = "asc",
        wait_timeout: float = 0.0,
    ) -> list[StoredEvent]:
        """Return the events of a session in the order of their numbers."""
    async def get_event(self, event_id: str, *, session_id: str | None = None) -> StoredEvent:
        """Return the event with this id."""
    async def get_latest_sequence(self, session_id: str) -> int:
        """Return the last sequence number of a session; 0 before the first event."""
    def follow_events(
        self,
        session_id: str,
        *,
        after: int | Event = 0,
        run_id: str | Iterable[str] | None = None,
        type: EventType | str | Iterable[EventType | str] | None = None,
        idle_timeout: float | None = None,
    ) -> AsyncIterator[StoredEvent]:
        """Yield the events after `after`, then each new event when it is committed, in order and without omission."""
    async def delete_events(
        self,
        session_id: str,
        *,
        ids: str | Iterable[str] | None = None,
        run_id: str | Iterable[str] | None = None,
        type: str | Iterable[str] | None = None,
        after: int | None = None,
        before: int | None = None,
    ) -> Erased:
        """Delete the events of a session that match all given filters; return their number, and what is pending."""
    async def redact_events(self, session_id: str, ids: str | Iterable[str], *, data: Payload | None = None) -> Erased:
        """Replace the data of these events by `data`, and their metadata by a mark; return the number of events."""
    async def fork_session(self, session_id: str, *, at: int | None = None, max_events: int = ...) -> Session:
        """Store a new session that begins with the events of another, all or nothing, and return it."""
    async def restore_session(
        self,
        session: Session,
        runs: Iterable[Run] = (),
        events: Iterable[Event] = (),
        *,
        last_sequence: int = 0,
        replace: bool = False,
    ) -> int:
        """Store an exact copy of a session or of a part of it, all or nothing; return the number of new events."""

class QueryAPI(Port):
    async def search_sessions(
        self,
        *,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        status: SessionStatus | str | Iterable[SessionStatus | str] | None = None,
        provider: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        parent_session_id: str | Iterable[str] | None = None,
        title: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        active_after: datetime | None = None,
        active_before: datetime | None = None,
        include_deleted: bool = False,
        order_by: str = "active_at_desc",
        limit: int = 50,
        cursor: str | None = None,
        count: bool = False,
    ) -> Page[Session]:
        """Return a page of sessions."""
    async def search_runs(
        self,
        *,
        session_id: str | Iterable[str] | None = None,
        provider: str | Iterable[str] | None = None,
        status: RunStatus | str | Iterable[RunStatus | str] | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        min_tokens: int | None = None,
        order_by: str = "started_at_desc",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Run]:
        """Return a page of runs."""
    async def search_events(
        self,
        *,
        session_ids: str | Iterable[str] | None = None,
        run_ids: str | Iterable[str] | None = None,
        types: EventType | str | Iterable[EventType | str] | None = None,
        providers: str | Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        correlation_id: str | Iterable[str] | None = None,
        order_by: str = "sequence_asc",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[StoredEvent]:
        """Return a page of events."""
    async def search_text(
        self,
        text: str,
        *,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        session_ids: str | Iterable[str] | None = None,
        types: EventType | str | Iterable[EventType | str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        include_deleted: bool = False,
        order_by: str = "timestamp_desc",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[StoredEvent]:
        """Return a page of the events whose data contains all words of a text."""
    async def count_events(
        self,
        *,
        session_ids: str | Iterable[str] | None = None,
        run_ids: str | Iterable[str] | None = None,
        types: EventType | str | Iterable[EventType | str] | None = None,
        providers: str | Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        correlation_id: str | Iterable[str] | None = None,
    ) -> int:
        """Return the number of events that match the filters of `search_events`."""
    async def get_session_stats(self, session_id: str) -> SessionStats:
        """Return the statistics of a session: events, runs by status, tokens and costs."""
    async def list_session_stats(self, session_ids: Iterable[str]) -> list[SessionStats]:
        """Return the statistics of several sessions, in the order given, with a fixed number of queries."""
    async def get_usage_summary(
        self,
        *,
        group_by: str | Iterable[str] = ("provider", "model"),
        time_zone: str = "UTC",
        session_id: str | Iterable[str] | None = None,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        provider: str | Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> UsageSummary:
        """Return the tokens that runs used, in total and by group."""
    async def get_cost_summary(
        self,
        *,
        group_by: str | Iterable[str] = ("provider", "model"),
        time_zone: str = "UTC",
        session_id: str | Iterable[str] | None = None,
        agent_id: str | Iterable[str] | None = None,
        user_id: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        provider: str | Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        pricing_table: PricingTable | Prices | None = None,
    ) -> CostSummary:
        """Return the costs of runs, in total and by group, for the same runs and groups as `get_usage_summary`."""
    async def export_session(self, session_id: str, *, include_artifacts: bool = False) -> SessionExport:
        """Return a session with its runs, events and artifacts; for large sessions, `asm_core.transfer` writes a file."""

class Maintenance(Port):
    async def execute(
        self,
        policy: RetentionPolicy,
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
        planned: Planned | None = None,
    ) -> MaintenanceReport:
        """Apply all of `policy`, and return a report."""
    async def soft_delete_session(self, session_id: str) -> Session:
        """Soft-delete a session and return it. If it is already soft-deleted, this is a no-op."""
    async def undelete_session(self, session_id: str) -> Session:
        """Undo the soft deletion of a session and return it. If it is not soft-deleted, this is a no-op."""
    async def soft_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Soft-delete the sessions that are older than `policy` allows; return their number."""
    async def hard_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Remove sessions soft-deleted `hard_delete_after_days` ago, with runs and events; return their number."""
    async def prune_session_events(self, session_id: str, policy: RetentionPolicy) -> Erased:
        """Prune the oldest events of one session down to `max_events_per_session`; return their number."""
    async def clean_orphaned_artifacts(self) -> int:
        """Remove the metadata of artifacts whose session no longer exists; return their number."""
    async def clean_expired_records(self) -> Erased:
        """Remove the records of state whose `expires_at` has passed; return their number."""
    async def compact(self) -> Compaction:
        """Return the space of removed records to the system; return the size before and after."""
    async def finish_erasure(self) -> bool:
        """Remove copies of deleted and redacted content from the store's files; return whether none remains."""
    async def erase_user(self, user_id: str) -> MaintenanceReport:
        """Remove all sessions and records of a user permanently; return a report."""
    async def health_check(self) -> list[str]:
        """Return the faults of the store, one sentence each; an empty list if it is healthy."""

class ArtifactRegistry(Port):
    async def register(self, artifact: Artifact) -> Artifact:
        """Store the metadata of an artifact and return it as stored."""
    async def get_by_key(self, key: str) -> Artifact | None:
        """Return the live artifact with this key, or None."""
    async def list_by_session(self, session_id: str) -> list[Artifact]:
        """Return the live artifacts of a session by (`created_at`, id); an empty list if the session does not exist."""
    async def registered_refs(self, storage_backend: str, refs: Iterable[str]) -> set[str]:
        """Return those of these locations that an artifact has, a deleted one included."""
    async def session_stats(self, session_id: str) -> ArtifactStats:
        """Return the number of live artifacts of a session and their bytes; zeros if the session does not exist."""
    async def delete(self, key: str) -> None:
        """Soft-delete the live artifact with this key. If there is none, this is a no-op."""

class StateStore(Port):
    async def get(self, namespace: str, key: str) -> StateRecord | None:
        """Return the record, or None if there is none."""
    async def put(
        self,
        namespace: str,
        key: str,
        value: Any,
        *,
        expected_revision: int | None = None,
        expires_at: datetime | None = None,
    ) -> StateRecord:
        """Store a value, and return its record. The revision is 1 for a new record, and one more for each later put."""
    async def delete(self, namespace: str, key: str, *, expected_revision: int | None = None) -> bool:
        """Remove the record; return whether there was one."""
    async def restore(self, record: StateRecord, *, expected_revision: int = 0) -> StateRecord:
        """Store an exact copy of a record, with its revision and times, and return it; for imports and copies."""
    async def list(
        self,
        namespace: str,
        *,
        prefix: str = "",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[StateRecord]:
        """Return a page of the records of a namespace whose key begins with `prefix`, by key."""
    async def list_namespaces(self, *, prefix: str = "", limit: int = 50, cursor: str | None = None) -> Page[str]:
        """Return a page of the namespaces that have a record and begin with `prefix`, sorted by code points."""
    async def delete_all(self, namespace: str, *, prefix: str = "") -> int:
        """Remove the records of a namespace whose key begins with `prefix`; return their number, expired ones included."""

class Artifacts(Port):
    async def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        session_id: str | None = None,
        run_id: str | None = None,
        content_type: str | None = None,
        metadata: Payload | None = None,
    ) -> Artifact:
        """Store the content, then register it with its size and hash; return the artifact as registered."""
    async def find(self, key: str) -> Artifact | None:
        """Return the live artifact with this key, or None."""
    async def get(self, key: str) -> bytes:
        """Return the content of the live artifact with this key."""
    async def copy_to(self, key: str, file: BinaryIO) -> Artifact:
        """Write the content to a binary file in bounded chunks, and return the artifact."""
    async def remove_orphans(self, *, older_than: timedelta = ...) -> int:
        """Remove content that no artifact has, and return the number of blobs."""

class ManagedSessions(Port):
    async def run_once(
        self,
        input: Payload | str | list[Payload],
        *,
        agent_id: str | None = None,
        metadata: Payload | None = None,
        context: Payload | None = None,
        tags: Iterable[str] = (),
        user_id: str | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
    ) -> RunResult:
        """Execute one run in a new session, record it, and return its result."""
    async def run(
        self,
        session_id: str,
        input: Payload | str | list[Payload],
        *,
        continuation: ContinuationChoice = "auto",
        metadata: Payload | None = None,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
    ) -> RunResult:
        """Execute the next run of a session, record it, and return its result. The session stays active in any case."""
    async def start_session(
        self,
        *,
        agent_id: str | None = None,
        metadata: Payload | None = None,
        context: Payload | None = None,
        tags: Iterable[str] = (),
        parent_session_id: str | None = None,
        user_id: str | None = None,
        title: str | None = None,
    ) -> Session:
        """Store a new session, pending, with the event session_created."""
    async def activate_session(self, session_id: str) -> Session:
        """Activate a pending or paused session: session_started or session_resumed."""
    async def pause_session(self, session_id: str) -> Session:
        """Pause an active session: session_paused."""
    async def resume_session(self, session_id: str) -> Session:
        """Activate a paused session: session_resumed."""
    async def complete_session(self, session_id: str) -> Session:
        """End an active session as completed: session_completed."""
    async def fail_session(self, session_id: str, error: Payload | None = None) -> Session:
        """End an active session as failed: session_failed, with `error` in its data."""
    async def cancel_session(self, session_id: str) -> Session:
        """Cancel the runs of a session, then end it as cancelled: session_cancelled."""
    async def start_run(
        self,
        session_id: str,
        input: Payload | str | list[Payload],
        *,
        metadata: Payload | None = None,
    ) -> Run:
        """Store a new pending run of an active session. `execute_run` records its begin."""
    async def execute_run(
        self,
        run_id: str,
        *,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
    ) -> RunResult:
        """Execute a pending run, and record it. Its session stays active in any case."""
    async def cancel_run(self, run_id: str) -> None:
        """Cancel a run, from any thread or process. The caller that executes it gets a `ProviderError` after that."""
    async def answer_tool_call(
        self,
        run_id: str,
        tool_call_id: str,
        *,
        allowed: bool,
        reason: str | None = None,
    ) -> StoredEvent:
        """Answer the question of a `ToolPolicy` whether a tool may be called, from any process."""

class Schema(Port):
    async def migrate(
        self,
        version: int | None = None,
        *,
        partitions: int | None = None,
        text_search: bool | None = None,
    ) -> list[int]:
        """Migrate the schema to `version` (None: the newest), up or down; return the applied versions."""
    async def schema_version(self) -> int:
        """Return the version of the schema; 0 if there is none yet."""
