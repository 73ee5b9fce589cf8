"""Cursors: the end of a page, encoded as text.

A cursor is the base64 of a checksum and ``[format, resource, order, key]`` in JSON. The checksum detects damage and
edits. It is not a signature: a cursor gives no access beyond what its bearer can list anyway.
"""

from __future__ import annotations

import base64
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from asm_core.errors import InvalidCursorError, ValidationError, short_repr
from asm_core.values.ids import check_name
from asm_core.values.payloads import encode_json
from asm_core.values.times import check_time

if TYPE_CHECKING:
    from asm_core.querying.queries import Order

_FORMAT: Final = 1
_SUM_BYTES: Final = 9
_MAX_LENGTH: Final = 8192
_INTEGER: Final = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_KEY_TYPES: Final[dict[str, Any]] = {
    "active_at": datetime,
    "created_at": datetime,
    "updated_at": datetime,
    "started_at": datetime,
    "timestamp": datetime,
    "total_tokens": _INTEGER,
    "sequence_number": _INTEGER,
    "id": str,
    "session_id": str,
    "key": str,
    "namespace": str,
}

_BODY: Final = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw])


def encode_cursor(resource: str, order: Order, key: tuple[Any, ...]) -> str:
    """Return the cursor for `key` in `order` over `resource`."""
    body = encode_json([_FORMAT, resource, order.name, key])
    return base64.urlsafe_b64encode(_check_sum(body) + body).decode().rstrip("=")


def decode_cursor(resource: str, order: Order, cursor: object) -> tuple[Any, ...]:
    """Return the key that `encode_cursor` encoded.

    Raises:
        InvalidCursorError: `cursor` is malformed, was altered, or belongs to another resource or order.
    """
    found_resource, found_order, key = _read(cursor)
    if (found_resource, found_order) != (resource, order.name):
        message = (
            f"This cursor belongs to {found_resource} in the order {found_order}, not to {resource} in the order "
            f"{order.name}. Start again without a cursor."
        )
        raise InvalidCursorError(message)
    try:
        return tuple([_checked(value) for value in _key_decoder(order.key).decode(key)])
    except (ValueError, RecursionError, ValidationError):
        raise _malformed(cursor) from None


@cache
def _key_decoder(fields: tuple[str, ...]) -> msgspec.json.Decoder[tuple[Any, ...]]:
    return msgspec.json.Decoder(tuple[tuple(_KEY_TYPES[field] for field in fields)])  # type: ignore[misc]


def _read(cursor: object) -> tuple[str, str, msgspec.Raw]:
    if not isinstance(cursor, str) or not cursor.isascii() or len(cursor) > _MAX_LENGTH:
        raise _malformed(cursor)
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found_sum, body = raw[:_SUM_BYTES], raw[_SUM_BYTES:]
        # Decoding ignores foreign characters and some bits of the last one; only one spelling of a cursor is valid.
        canonical = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        if canonical != cursor or found_sum != _check_sum(body):
            raise _malformed(cursor)
        parts = _BODY.decode(body)
    except (ValueError, RecursionError):
        raise _malformed(cursor) from None
    if parts[0] != _FORMAT:
        raise _malformed(cursor)
    return parts[1], parts[2], parts[3]


def _checked(value: object) -> object:
    # A checksum can be forged, so the key is checked like any other input.
    if isinstance(value, datetime):
        return check_time("cursor", value)
    return check_name("cursor", value) if isinstance(value, str) else value


def _check_sum(body: bytes) -> bytes:
    from hashlib import blake2b  # noqa: PLC0415  it loads OpenSSL, and most programs use no cursor

    return blake2b(body, digest_size=_SUM_BYTES, person=b"asm cursor").digest()


def _malformed(cursor: object) -> InvalidCursorError:
    return InvalidCursorError(f"Invalid or altered cursor: {short_repr(cursor)}. Start again without a cursor.")
