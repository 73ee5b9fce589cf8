"""The Peewee models of the tables, defined for each database.

Core's migrations create the tables. The models only describe them, and a test compares both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from peewee import BigIntegerField, CompositeKey, ForeignKeyField, Model, TextField

from asm_backend_peewee.columns import JsonField, Reference, TagsField, UtcTimeField
from asm_core import Artifact, Event, Run, Session
from asm_core.sql.rows.row_models import ARTIFACT_SHAPE, EVENT_SHAPE, RUN_SHAPE, SESSION_SHAPE, RowModel

if TYPE_CHECKING:
    from asm_core.sql import Dialect


class Models(NamedTuple):
    """The models of one database. Their fields have the names of the columns.

    Runs and events have a `session`, events a `run`; a session has `runs` and `events`, a run `events`. Store a row of
    `from_model` with ``save(force_insert=True)``, because its key is set.
    """

    SessionRow: Any
    RunRow: Any
    EventRow: Any
    SequenceRow: Any
    ArtifactRow: Any
    StateRow: Any


def define(database: Any, dialect: Dialect, *, schema: str | None = None) -> Models:
    """Return the models of a Peewee database, with tables in `schema` (None: that of the connection)."""
    sessions = _sessions(_base(database, schema), dialect)
    runs = _runs(_base(database, schema), dialect, sessions)
    return Models(
        SessionRow=sessions,
        RunRow=runs,
        EventRow=_events(_base(database, schema), dialect, sessions, runs),
        SequenceRow=_sequences(_base(database, schema), dialect, sessions),
        ArtifactRow=_artifacts(_base(database, schema), dialect),
        StateRow=_states(_base(database, schema), dialect),
    )


def _base(database_: Any, schema_: str | None) -> Any:
    class AsmRow(Model):
        class Meta:
            database = database_
            schema = schema_

    return AsmRow


def _sessions(base: Any, dialect: Dialect) -> Any:
    class SessionRow(base, RowModel[Session]):  # type: ignore[misc]  # made for a database
        """A session."""

        row_shape = SESSION_SHAPE

        id = TextField(primary_key=True)
        agent_id = TextField()
        status = TextField()
        parent_session_id = TextField(null=True)
        metadata = JsonField(dialect)
        context = JsonField(dialect)
        tags = TagsField(dialect)
        created_at = UtcTimeField(dialect)
        updated_at = UtcTimeField(dialect)
        deleted_at = UtcTimeField(dialect, null=True)
        revision = BigIntegerField(default=1)
        removing_at = UtcTimeField(dialect, null=True)
        user_id = TextField(null=True)
        title = TextField(null=True)
        title_folded = TextField(null=True)

        class Meta:
            table_name = "asm_sessions"

    return SessionRow


def _runs(base: Any, dialect: Dialect, sessions: Any) -> Any:
    class RunRow(base, RowModel[Run]):  # type: ignore[misc]  # made for a database
        """A run. The last four columns are derived from the others, for totals."""

        row_shape = RUN_SHAPE

        id = TextField(primary_key=True)
        session = ForeignKeyField(sessions, column_name="session_id", backref="runs", on_delete="CASCADE")
        status = TextField()
        input = JsonField(dialect, null=True)
        output = JsonField(dialect, null=True)
        error = JsonField(dialect, null=True)
        metadata = JsonField(dialect)
        turn_count = BigIntegerField()
        token_usage = JsonField(dialect)
        started_at = UtcTimeField(dialect)
        ended_at = UtcTimeField(dialect, null=True)
        provider = TextField(null=True)
        provider_metadata = JsonField(dialect)
        cost_nanos = BigIntegerField(null=True)
        revision = BigIntegerField(default=1)
        input_tokens = BigIntegerField()
        output_tokens = BigIntegerField()
        total_tokens = BigIntegerField()
        model = TextField(null=True)
        cache_read_tokens = BigIntegerField(default=0)
        cache_write_tokens = BigIntegerField(default=0)
        cache_write_1h_tokens = BigIntegerField(default=0)
        reasoning_tokens = BigIntegerField(default=0)

        class Meta:
            table_name = "asm_runs"

    return RunRow


def _events(base: Any, dialect: Dialect, sessions: Any, runs: Any) -> Any:
    class EventRow(base, RowModel[Event]):  # type: ignore[misc]  # made for a database
        """An event. If its run is not stored, `run` is None."""

        row_shape = EVENT_SHAPE

        id = TextField(primary_key=True)
        session = Reference(sessions, column_name="session_id", backref="events")
        sequence_number = BigIntegerField()
        type = TextField()
        timestamp = UtcTimeField(dialect)
        run = Reference(runs, column_name="run_id", backref="events", null=True)
        data = JsonField(dialect)
        metadata = JsonField(dialect)
        schema_version = BigIntegerField()
        provider = TextField(null=True)
        correlation_id = TextField(null=True)

        class Meta:
            table_name = "asm_events"
            indexes = ((("session_id", "sequence_number"), True),)

    return EventRow


def _sequences(base: Any, dialect: Dialect, sessions: Any) -> Any:
    class SequenceRow(base):  # type: ignore[misc]  # made for a database
        """The counter of a session."""

        session = ForeignKeyField(
            sessions, column_name="session_id", backref="counter", primary_key=True, on_delete="CASCADE"
        )
        last_sequence = BigIntegerField()
        updated_at = UtcTimeField(dialect)
        log_id = TextField()
        deleted_at = UtcTimeField(dialect, null=True)
        user_id = TextField(null=True)
        active_at = UtcTimeField(dialect)

        class Meta:
            table_name = "asm_session_sequences"

    return SequenceRow


def _artifacts(base: Any, dialect: Dialect) -> Any:
    class ArtifactRow(base, RowModel[Artifact]):  # type: ignore[misc]  # made for a database
        """The metadata of an artifact."""

        row_shape = ARTIFACT_SHAPE

        id = TextField(primary_key=True)
        session_id = TextField(null=True)
        run_id = TextField(null=True)
        key = TextField(unique=True)
        content_type = TextField(null=True)
        byte_size = BigIntegerField()
        checksum_sha256 = TextField()
        storage_backend = TextField()
        storage_ref = TextField()
        metadata = JsonField(dialect)
        created_at = UtcTimeField(dialect)
        deleted_at = UtcTimeField(dialect, null=True)

        class Meta:
            table_name = "asm_artifacts"

    return ArtifactRow


def _states(base: Any, dialect: Dialect) -> Any:
    class StateRow(base):  # type: ignore[misc]  # made for a database
        """A record of state, expired or not."""

        namespace = TextField()
        key = TextField()
        value = JsonField(dialect)
        revision = BigIntegerField()
        created_at = UtcTimeField(dialect)
        updated_at = UtcTimeField(dialect)
        expires_at = UtcTimeField(dialect, null=True)

        class Meta:
            table_name = "asm_state"
            primary_key = CompositeKey("namespace", "key")

    return StateRow
