"""The SQLModel classes of the tables, with their own metadata or the application's.

Core's migrations create the tables. The models only describe them, and a test compares both.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ForeignKeyConstraint, MetaData, UniqueConstraint, inspect
from sqlalchemy.event import listen
from sqlalchemy.orm import registry, relationship
from sqlmodel import Relationship, SQLModel

from asm_backend_sqlmodel.fields import (
    ArtifactFields,
    EventFields,
    RunFields,
    SequenceFields,
    SessionFields,
    StateFields,
)
from asm_core import ValidationError
from asm_core.sql.schema.named import check_schema


class Models(NamedTuple):
    """The row models on one `MetaData`."""

    SessionRow: type[SessionFields]
    RunRow: type[RunFields]
    EventRow: type[EventFields]
    SequenceRow: type[SequenceFields]
    ArtifactRow: type[ArtifactFields]
    StateRow: type[StateFields]


def define(metadata: MetaData | None = None, *, schema: str | None = None) -> Models:
    """Return row models on `metadata`.

    Args:
        metadata: the application's, such as ``SQLModel.metadata``, so that its tables can reference these by name;
            None: a new one.
        schema: the PostgreSQL schema of the tables; None: that of the connection.
    """
    options = {"schema": None if schema is None else check_schema(schema)}
    to_session = "asm_sessions.id" if schema is None else f"{schema}.asm_sessions.id"

    class AsmRow(SQLModel, registry=registry(metadata=MetaData() if metadata is None else metadata)):
        """The base of the row models, with their metadata."""

    class SessionRow(AsmRow, SessionFields, table=True):
        """A session."""

        __tablename__ = "asm_sessions"
        __table_args__ = options

        # A run is stored after its session, because of the foreign key; the database handles deletions.
        runs = _related("RunRow", "session", order_by="(RunRow.started_at, RunRow.id)", passive_deletes="all")
        events = _events("SessionRow", "session")

    class RunRow(AsmRow, RunFields, table=True):
        """A run."""

        __tablename__ = "asm_runs"
        __table_args__ = (ForeignKeyConstraint(["session_id"], [to_session], ondelete="CASCADE"), options)

        session = _related("SessionRow", "runs")
        events = _events("RunRow", "run")

    class EventRow(AsmRow, EventFields, table=True):
        """An event, without foreign keys. If its run is not stored, `run` is None."""

        __tablename__ = "asm_events"
        __table_args__ = (UniqueConstraint("session_id", "sequence_number"), options)

        session = _related("SessionRow", "events", **_join("SessionRow", "session"))
        run = _related("RunRow", "events", **_join("RunRow", "run"))

    class SequenceRow(AsmRow, SequenceFields, table=True):
        """The counter of a session."""

        __tablename__ = "asm_session_sequences"
        __table_args__ = (ForeignKeyConstraint(["session_id"], [to_session], ondelete="CASCADE"), options)

    class ArtifactRow(AsmRow, ArtifactFields, table=True):
        """The metadata of an artifact."""

        __tablename__ = "asm_artifacts"
        __table_args__ = options

    class StateRow(AsmRow, StateFields, table=True):
        """A record of state."""

        __tablename__ = "asm_state"
        __table_args__ = options

    models = Models(SessionRow, RunRow, EventRow, SequenceRow, ArtifactRow, StateRow)
    for table in (inspect(model).local_table for model in models):
        for event in ("before_create", "before_drop"):
            listen(table, event, _refuse)
    return models


def _related(to: str, back_populates: str, **options: Any) -> Any:
    return Relationship(sa_relationship=relationship(to, back_populates=back_populates, **options))


def _events(owner: str, name: str) -> Any:
    """Return the events of a session or a run."""
    return _related("EventRow", name, order_by="EventRow.sequence_number", **_join(owner, name))


def _join(owner: str, name: str) -> dict[str, Any]:
    """Return the options of a read-only relation over a column of events without a foreign key."""
    column = f"EventRow.{name}_id"
    return {"primaryjoin": f"{column} == {owner}.id", "foreign_keys": column, "viewonly": True}


def _refuse(table: Any, *_: object, **__: object) -> None:
    message = (
        f"Only migrations create and remove the table {table.fullname}. Open the backend with migrate=True "
        "before create_all(), and name your own tables in drop_all(tables=...)."
    )
    raise ValidationError(message)


if TYPE_CHECKING:
    SessionRow = SessionFields
    RunRow = RunFields
    EventRow = EventFields
    SequenceRow = SequenceFields
    ArtifactRow = ArtifactFields
    StateRow = StateFields
else:
    SessionRow, RunRow, EventRow, SequenceRow, ArtifactRow, StateRow = define()
