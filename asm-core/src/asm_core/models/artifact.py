"""Artifacts."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Self

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.models.base import Model, check_natural
from asm_core.values.ids import check_name, check_optional_name, new_id
from asm_core.values.payloads import Payload, check_payload
from asm_core.values.times import check_optional_time, check_time, utc_now

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Artifact(Model, frozen=True, kw_only=True):
    """The metadata of a blob that is stored elsewhere.

    Attributes:
        id: ``art_`` and 32 hex digits, or an id that the caller chose.
        session_id: the session that created it, if any.
        run_id: the run that created it, if any.
        key: its name, unique among live artifacts.
        content_type: its media type, such as ``text/plain``.
        byte_size: its size in bytes.
        checksum_sha256: its SHA-256, as 64 lower-case hex digits.
        storage_backend: the kind of storage, such as ``file`` or ``s3``.
        storage_ref: its location in that storage.
        metadata: any data of the application.
        created_at: the time of its creation.
        deleted_at: the time of its deletion; None while it is live.
    """

    id: str
    session_id: str | None = None
    run_id: str | None = None
    key: str
    content_type: str | None = None
    byte_size: int
    checksum_sha256: str
    storage_backend: str
    storage_ref: str
    metadata: Payload = msgspec.field(default_factory=dict)
    created_at: datetime
    deleted_at: datetime | None = None

    @classmethod
    def new(
        cls,
        *,
        key: str,
        byte_size: int,
        checksum_sha256: str,
        storage_backend: str,
        storage_ref: str,
        id: str | None = None,  # noqa: A002  the field's name
        session_id: str | None = None,
        run_id: str | None = None,
        content_type: str | None = None,
        metadata: Payload | None = None,
        created_at: datetime | None = None,
    ) -> Self:
        """Return a new artifact, with defaults for all fields that are not given.

        Raises:
            ValidationError: a field has an invalid value.
        """
        return cls(
            id=new_id("art") if id is None else id,
            session_id=session_id,
            run_id=run_id,
            key=key,
            content_type=content_type,
            byte_size=byte_size,
            checksum_sha256=checksum_sha256,
            storage_backend=storage_backend,
            storage_ref=storage_ref,
            metadata={} if metadata is None else metadata,
            created_at=utc_now() if created_at is None else created_at,
        ).checked()

    def checked(self) -> Self:
        """Return an equal artifact with each field checked and normalised."""
        checksum = self.checksum_sha256
        if not isinstance(checksum, str) or not _SHA256.fullmatch(checksum):
            message = f"checksum_sha256 must be 64 lower-case hex digits, not {short_repr(checksum)}."
            raise ValidationError(message)
        return type(self)(
            id=check_name("id", self.id),
            session_id=check_optional_name("session_id", self.session_id),
            run_id=check_optional_name("run_id", self.run_id),
            key=check_name("key", self.key),
            content_type=check_optional_name("content_type", self.content_type),
            byte_size=check_natural("byte_size", self.byte_size),
            checksum_sha256=checksum,
            storage_backend=check_name("storage_backend", self.storage_backend),
            storage_ref=check_name("storage_ref", self.storage_ref),
            metadata=check_payload("metadata", self.metadata),
            created_at=check_time("created_at", self.created_at),
            deleted_at=check_optional_time("deleted_at", self.deleted_at),
        )
