"""The fields of the row models, shared by all definitions of the tables."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import BigInteger, FetchedValue, Text
from sqlmodel import Field, SQLModel

from asm_backend_sqlmodel.columns import Json, Tags, UtcTime
from asm_core import Artifact, Event, Run, Session
from asm_core.sql.rows.row_models import ARTIFACT_SHAPE, EVENT_SHAPE, RUN_SHAPE, SESSION_SHAPE, RowModel

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapped


def _metadata() -> Any:
    # SQLAlchemy reserves an attribute of this name.
    return Field(sa_type=Json, sa_column_kwargs={"name": "metadata"})


class SessionFields(SQLModel, RowModel[Session]):
    """A session; `removing_at` is set during its removal, and then the ports do not return it."""

    row_shape: ClassVar[Any] = SESSION_SHAPE
    row_names: ClassVar[Mapping[str, str]] = {"metadata": "session_metadata"}

    id: str = Field(primary_key=True, sa_type=Text)
    agent_id: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    parent_session_id: str | None = Field(default=None, sa_type=Text)
    session_metadata: dict[str, Any] = _metadata()
    context: dict[str, Any] = Field(sa_type=Json)
    tags: list[str] = Field(sa_type=Tags)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcTime)
    revision: int = Field(default=1, sa_type=BigInteger)
    removing_at: datetime | None = Field(default=None, sa_type=UtcTime)
    user_id: str | None = Field(default=None, sa_type=Text)
    title: str | None = Field(default=None, sa_type=Text)
    title_folded: str | None = Field(default=None, sa_type=Text)

    if TYPE_CHECKING:
        runs: ClassVar[Mapped[list["RunFields"]]]
        events: ClassVar[Mapped[list["EventFields"]]]


class RunFields(SQLModel, RowModel[Run]):
    """A run. The last four columns are derived from the others, for totals."""

    row_shape: ClassVar[Any] = RUN_SHAPE
    row_names: ClassVar[Mapping[str, str]] = {"metadata": "run_metadata"}

    id: str = Field(primary_key=True, sa_type=Text)
    session_id: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    input: dict[str, Any] | None = Field(default=None, sa_type=Json)
    output: dict[str, Any] | None = Field(default=None, sa_type=Json)
    error: dict[str, Any] | None = Field(default=None, sa_type=Json)
    run_metadata: dict[str, Any] = _metadata()
    turn_count: int = Field(sa_type=BigInteger)
    token_usage: dict[str, int] = Field(sa_type=Json)
    started_at: datetime = Field(sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    provider: str | None = Field(default=None, sa_type=Text)
    provider_metadata: dict[str, Any] = Field(sa_type=Json)
    cost_nanos: int | None = Field(default=None, sa_type=BigInteger)
    revision: int = Field(default=1, sa_type=BigInteger)
    input_tokens: int = Field(sa_type=BigInteger)
    output_tokens: int = Field(sa_type=BigInteger)
    total_tokens: int = Field(sa_type=BigInteger)
    model: str | None = Field(default=None, sa_type=Text)
    cache_read_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    cache_write_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    cache_write_1h_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})

    if TYPE_CHECKING:
        session: ClassVar[Mapped[SessionFields]]
        events: ClassVar[Mapped[list["EventFields"]]]


class EventFields(SQLModel, RowModel[Event]):
    """An event."""

    row_shape: ClassVar[Any] = EVENT_SHAPE
    row_names: ClassVar[Mapping[str, str]] = {"metadata": "event_metadata"}

    id: str = Field(primary_key=True, sa_type=Text)
    session_id: str = Field(sa_type=Text)
    sequence_number: int = Field(sa_type=BigInteger)
    type: str = Field(sa_type=Text)
    timestamp: datetime = Field(sa_type=UtcTime)
    run_id: str | None = Field(default=None, sa_type=Text)
    data: dict[str, Any] = Field(sa_type=Json)
    event_metadata: dict[str, Any] = _metadata()
    schema_version: int = Field(sa_type=BigInteger)
    provider: str | None = Field(default=None, sa_type=Text)
    correlation_id: str | None = Field(default=None, sa_type=Text)

    if TYPE_CHECKING:
        session: ClassVar[Mapped[SessionFields]]
        run: ClassVar[Mapped[RunFields | None]]


class SequenceFields(SQLModel):
    """The counter of a session."""

    session_id: str = Field(primary_key=True, sa_type=Text)
    last_sequence: int = Field(sa_type=BigInteger)
    updated_at: datetime = Field(sa_type=UtcTime)
    log_id: str = Field(sa_type=Text, sa_column_kwargs={"server_default": FetchedValue()})
    deleted_at: datetime | None = Field(default=None, sa_type=UtcTime)
    user_id: str | None = Field(default=None, sa_type=Text)
    active_at: datetime = Field(sa_type=UtcTime, sa_column_kwargs={"server_default": FetchedValue()})


class ArtifactFields(SQLModel, RowModel[Artifact]):
    """The metadata of an artifact."""

    row_shape: ClassVar[Any] = ARTIFACT_SHAPE
    row_names: ClassVar[Mapping[str, str]] = {"metadata": "artifact_metadata"}

    id: str = Field(primary_key=True, sa_type=Text)
    session_id: str | None = Field(default=None, sa_type=Text)
    run_id: str | None = Field(default=None, sa_type=Text)
    key: str = Field(unique=True, sa_type=Text)
    content_type: str | None = Field(default=None, sa_type=Text)
    byte_size: int = Field(sa_type=BigInteger)
    checksum_sha256: str = Field(sa_type=Text)
    storage_backend: str = Field(sa_type=Text)
    storage_ref: str = Field(sa_type=Text)
    artifact_metadata: dict[str, Any] = _metadata()
    created_at: datetime = Field(sa_type=UtcTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcTime)


class StateFields(SQLModel):
    """A record of state, expired or not."""

    namespace: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    value: Any = Field(sa_type=Json, nullable=False)
    revision: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)
