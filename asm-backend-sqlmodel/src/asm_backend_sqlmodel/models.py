"""The tables as SQLModel sees them, with metadata of their own, apart from the application's ``SQLModel.metadata``.

Core's migrations make the tables; these models only describe them, and a test compares the two.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, FetchedValue, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from asm_backend_sqlmodel.columns import Json, Tags, UtcTime


class AsmRow(SQLModel, registry=registry()):
    """What the tables have in common: metadata of their own."""


class SessionRow(AsmRow, table=True):
    """A session."""

    __tablename__ = "asm_sessions"

    id: str = Field(sa_column=Column(Text, primary_key=True))
    agent_id: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    parent_session_id: str | None = Field(default=None, sa_column=Column(Text))
    session_metadata: dict[str, Any] = Field(sa_column=Column("metadata", Json, nullable=False))
    context: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    tags: list[str] = Field(sa_column=Column(Tags, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    removing_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class RunRow(AsmRow, table=True):
    """A run. The last four columns are taken out of the others for totals."""

    __tablename__ = "asm_runs"

    id: str = Field(sa_column=Column(Text, primary_key=True))
    session_id: str = Field(sa_column=Column(Text, ForeignKey("asm_sessions.id", ondelete="CASCADE"), nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    input: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    output: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    run_metadata: dict[str, Any] = Field(sa_column=Column("metadata", Json, nullable=False))
    turn_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    token_usage: dict[str, int] = Field(sa_column=Column(Json, nullable=False))
    started_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    provider: str | None = Field(default=None, sa_column=Column(Text))
    provider_metadata: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    cost_nanos: int | None = Field(default=None, sa_column=Column(BigInteger))
    input_tokens: int = Field(sa_column=Column(BigInteger, nullable=False))
    output_tokens: int = Field(sa_column=Column(BigInteger, nullable=False))
    total_tokens: int = Field(sa_column=Column(BigInteger, nullable=False))
    model: str | None = Field(default=None, sa_column=Column(Text))


class SequenceRow(AsmRow, table=True):
    """The counter of a session."""

    __tablename__ = "asm_session_sequences"

    session_id: str = Field(sa_column=Column(Text, ForeignKey("asm_sessions.id", ondelete="CASCADE"), primary_key=True))
    last_sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    log_id: str = Field(sa_column=Column(Text, nullable=False, server_default=FetchedValue()))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))


class EventRow(AsmRow, table=True):
    """An event."""

    __tablename__ = "asm_events"
    __table_args__ = (UniqueConstraint("session_id", "sequence_number"),)

    id: str = Field(sa_column=Column(Text, primary_key=True))
    session_id: str = Field(sa_column=Column(Text, nullable=False))
    sequence_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    type: str = Field(sa_column=Column(Text, nullable=False))
    timestamp: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    run_id: str | None = Field(default=None, sa_column=Column(Text))
    data: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    event_metadata: dict[str, Any] = Field(sa_column=Column("metadata", Json, nullable=False))
    schema_version: int = Field(sa_column=Column(BigInteger, nullable=False))
    provider: str | None = Field(default=None, sa_column=Column(Text))
    correlation_id: str | None = Field(default=None, sa_column=Column(Text))


class ArtifactRow(AsmRow, table=True):
    """The metadata of an artifact."""

    __tablename__ = "asm_artifacts"

    id: str = Field(sa_column=Column(Text, primary_key=True))
    session_id: str | None = Field(default=None, sa_column=Column(Text))
    run_id: str | None = Field(default=None, sa_column=Column(Text))
    key: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    content_type: str | None = Field(default=None, sa_column=Column(Text))
    byte_size: int = Field(sa_column=Column(BigInteger, nullable=False))
    checksum_sha256: str = Field(sa_column=Column(Text, nullable=False))
    storage_backend: str = Field(sa_column=Column(Text, nullable=False))
    storage_ref: str = Field(sa_column=Column(Text, nullable=False))
    artifact_metadata: dict[str, Any] = Field(sa_column=Column("metadata", Json, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcTime, nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcTime))
