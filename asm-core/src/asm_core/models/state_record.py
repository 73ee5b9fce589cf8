"""Records of state."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from asm_core.models.base import Model, check_natural
from asm_core.values.ids import check_name
from asm_core.values.payloads import check_payload
from asm_core.values.times import check_optional_time, check_time


class StateRecord(Model, frozen=True, kw_only=True):
    """A value that an application keeps beside its sessions, under a namespace and a key.

    Attributes:
        namespace: the group of the record.
        key: its name, unique in the namespace.
        value: any JSON value.
        revision: the number of times it was put, 1 at the first.
        created_at: the time of the first put.
        updated_at: the time of the last put.
        expires_at: the time from which reads no longer return it; None: never.
    """

    namespace: str
    key: str
    value: Any
    revision: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None

    def has_expired(self, at: datetime) -> bool:
        """Return whether reads at this time no longer return the record."""
        return self.expires_at is not None and self.expires_at <= at

    def checked(self) -> Self:
        """Return an equal record with each field checked and normalised."""
        return type(self)(
            namespace=check_name("namespace", self.namespace),
            key=check_name("key", self.key),
            value=check_value(self.value),
            revision=check_natural("revision", self.revision, least=1),
            created_at=check_time("created_at", self.created_at),
            updated_at=check_time("updated_at", self.updated_at),
            expires_at=check_optional_time("expires_at", self.expires_at),
        )


def check_value(value: object) -> Any:
    """Return a copy of `value` in JSON types.

    Raises:
        ValidationError: JSON cannot represent it, or it has more levels than a payload may have.
    """
    return check_payload("record", {"value": value})["value"]
