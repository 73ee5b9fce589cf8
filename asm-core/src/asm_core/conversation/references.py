"""References in the data of events to values that are stored as artifacts."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from asm_core.errors import NotFoundError, StorageError, short_repr
from asm_core.values.digests import sha256
from asm_core.values.payloads import decode_json, encode_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.values.payloads import Payload

MARK: Final = "asm_artifact"
"""The only key of an object that stands for a value in an artifact."""

_MARKED: Final = f'{{"{MARK}":'.encode()
_ROOM: Final = "offloaded"
"""The beginning of the keys of these artifacts. A reference to any other artifact is not followed."""
_DATA_URL: Final = re.compile(r"data:([^,\s]+);base64,")


class Contents(Protocol):
    """A store of content: `asm_core.Artifacts`."""

    def get(self, key: str) -> bytes:
        """Return the content of the live artifact with this key."""


class Encoding(StrEnum):
    """How content becomes the value that it replaces."""

    JSON = "json"
    TEXT = "text"
    BASE64 = "base64"
    DATA_URL = "data_url"


class Encoded(NamedTuple):
    """A value as the content of an artifact.

    Attributes:
        data: the content.
        content_type: its media type.
        encoding: how it becomes the value again.
    """

    data: bytes
    content_type: str
    encoding: Encoding


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to a value in an artifact.

    Attributes:
        key: the key of the artifact.
        content_type: the media type of the content.
        byte_size: the size of the content.
        checksum_sha256: its SHA-256, as hex digits.
        encoding: how it becomes the value again.
    """

    key: str
    content_type: str
    byte_size: int
    checksum_sha256: str
    encoding: Encoding

    def __str__(self) -> str:
        """Return what is stored where."""
        return f"{self.byte_size} bytes of {self.content_type} as the artifact {self.key!r}"


def reference_to(session_id: str, encoded: Encoded) -> Reference:
    """Return the reference to a value that belongs to a session: equal values have equal references."""
    checksum = sha256(encoded.data).hexdigest()
    return Reference(
        key=f"{_ROOM}/{session_id}/{checksum}",
        content_type=encoded.content_type,
        byte_size=len(encoded.data),
        checksum_sha256=checksum,
        encoding=encoded.encoding,
    )


def as_value(reference: Reference) -> Payload:
    """Return a reference as the JSON value that replaces another one."""
    return {MARK: msgspec.to_builtins(reference)}


def reference_in(value: object) -> Reference | None:
    """Return the reference that this value is; None for any other value."""
    if not isinstance(value, dict) or len(value) != 1 or MARK not in value:
        return None
    try:
        found = msgspec.convert(value[MARK], Reference)
    except msgspec.ValidationError:
        return None
    is_ours = found.key.startswith(f"{_ROOM}/") and found.key.endswith(f"/{found.checksum_sha256}")
    return found if is_ours else None


def mentions_reference(value: Any) -> bool:
    """Return whether a JSON value may contain a reference: a tenth of the time of a walk in Python."""
    return _MARKED in encode_json(value)


def encoded_json(value: Any) -> Encoded:
    """Encode any JSON value."""
    return Encoded(encode_json(value), "application/json", Encoding.JSON)


def encoded_text(text: str, media_type: object = None) -> Encoded:
    """Encode a text: the bytes of a data URL, and of base64 if `media_type` names their type; else the text itself."""
    url = _DATA_URL.match(text)
    if url is not None and (data := _base64(text[url.end() :])) is not None:
        return Encoded(data, url[1], Encoding.DATA_URL)
    if isinstance(media_type, str) and media_type and (data := _base64(text)) is not None:
        return Encoded(data, media_type, Encoding.BASE64)
    return Encoded(text.encode(), "text/plain; charset=utf-8", Encoding.TEXT)


def read_value(reference: Reference, artifacts: Contents) -> Any:
    """Return the value that a reference replaces.

    Raises:
        NotFoundError: the artifact does not exist.
        StorageError: it cannot be read, or is not what was stored.
    """
    data = artifacts.get(reference.key)
    if sha256(data).hexdigest() != reference.checksum_sha256:
        message = (
            f"The artifact {short_repr(reference.key)} is not what the event refers to: its SHA-256 differs. "
            "Restore it from a copy."
        )
        raise StorageError(message, details={"key": reference.key, "expected": reference.checksum_sha256})
    match reference.encoding:
        case Encoding.JSON:
            return decode_json(data)
        case Encoding.TEXT:
            return data.decode()
        case Encoding.BASE64:
            return b64encode(data).decode()
        case Encoding.DATA_URL:
            return f"data:{reference.content_type};base64,{b64encode(data).decode()}"


def replaced(value: Any, replacement: Callable[[Reference], Any]) -> Any:
    """Return a JSON value with another one for each reference in it."""
    if isinstance(value, list):
        return [replaced(item, replacement) for item in value]
    if not isinstance(value, dict):
        return value
    reference = reference_in(value)
    if reference is not None:
        return replacement(reference)
    return {name: replaced(item, replacement) for name, item in value.items()}


def resolve_references(value: Any, artifacts: Contents) -> Any:
    """Return a JSON value, such as the data of an event, with each reference replaced by what it refers to.

    Raises:
        NotFoundError: an artifact does not exist.
        StorageError: an artifact cannot be read, or is not what was stored.
    """
    return replaced(value, lambda reference: read_value(reference, artifacts))


class ElsewhereError(Exception):
    """The value of a reference is not at hand. Its message is a text that replaces the value."""


def lookup(artifacts: Contents | None) -> Callable[[Reference], Any]:
    """Return a function that returns the value of a reference, or raises `ElsewhereError` with a text for it."""

    def find(reference: Reference) -> Any:
        if artifacts is None:
            message = f"[Not shown here: {reference}. Pass artifacts= to read it.]"
            raise ElsewhereError(message)
        try:
            return read_value(reference, artifacts)
        except NotFoundError as error:
            message = f"[No longer stored: {reference}.]"
            raise ElsewhereError(message) from error

    return find


def _base64(text: str) -> bytes | None:
    """Return the bytes of a text that is exactly their base64; None for any other text."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if b64encode(data).decode() == text else None
