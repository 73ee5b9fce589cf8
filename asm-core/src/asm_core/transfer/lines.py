"""Encoding and checked decoding of the lines of an export."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar

import msgspec

from asm_core.errors import ValidationError
from asm_core.models import Artifact, Event, Model, Run, Session, StateRecord
from asm_core.values.payloads import decode_json, encode_json
from asm_core.values.schemas import decode_field

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FORMAT: Final = "asm-session"
VERSION: Final = 1
FIRST_BYTES: Final = b'{"header":{"format":"asm-session"'
"""The first bytes of every export of a session."""
STATE_FORMAT: Final = "asm-state"
STATE_FIRST_BYTES: Final = b'{"header":{"format":"asm-state"'
"""The first bytes of every export of a namespace of state."""
HEADER_LIMIT: Final = 65_536
"""The longest header in bytes. A file with a longer first line is not an export, and is not read further."""
LINE_LIMIT: Final = 1 << 30
"""The longest line in bytes.

An event, a run or a session in a database is smaller: the limit of a row is 10^9 bytes in SQLite, and less than 2^30 in
PostgreSQL.
"""
KINDS: Final[Mapping[str, type[Session | Run | Event | Artifact]]] = {
    "session": Session,
    "run": Run,
    "event": Event,
    "artifact": Artifact,
}
"""The kinds of lines between the header and the last line of a session, in order."""
STATE_KINDS: Final[Mapping[str, type[StateRecord]]] = {"record": StateRecord}
"""The kind of the lines between the header and the last line of a namespace of state."""
END: Final = b'{"end":'
CHANGED: Final = "The file changed during the import."
BEGINNING: Final = re.compile(rb'\{"(?:session|run|event|artifact|record)":\{')
"""The beginning of each line between the header and the last line."""
_HEADER: Final = "header"
_MODELS: Final[Mapping[str, type[Line]]] = {**KINDS, **STATE_KINDS}

_LINE = re.compile(rb'\{"([a-z]+)":(\{.*\}),"crc32":"([0-9a-f]{8})"\}\n', re.DOTALL)


class _Version(msgspec.Struct):
    format: str
    version: int


class _AnyHeader(msgspec.Struct):
    header: _Version


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line."""

    format: str = FORMAT
    version: int = VERSION
    session_id: str
    last_sequence: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class StateHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of a namespace of state."""

    format: str = STATE_FORMAT
    version: int = VERSION
    namespace: str


class Totals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The counts in the last line of a session."""

    runs: int
    events: int
    artifacts: int
    sha256: str


class StateTotals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The count in the last line of a namespace of state."""

    records: int
    sha256: str


Line = Session | Run | Event | Artifact | StateRecord
H = TypeVar("H", Header, StateHeader)
M = TypeVar("M", bound=Model)
T = TypeVar("T", Totals, StateTotals)


class _End(msgspec.Struct, Generic[T], frozen=True, kw_only=True, forbid_unknown_fields=True):
    end: T


def damaged(line: int, what: str) -> ValidationError:
    """Return the error for an invalid line, numbered from 1."""
    return ValidationError(f"Line {line}: {what} Nothing was imported.", details={"line": line})


def line_of(model: Header | StateHeader | Model) -> bytes:
    """Return the line of a header or a model.

    Raises:
        ValidationError: the line would be longer than an import accepts.
    """
    kind, body = type(model).__name__.removeprefix("State").lower().encode(), encode_json(model)
    line = b'{"%b":%b,"crc32":"%08x"}\n' % (kind, body, zlib.crc32(body))
    if len(line) > LINE_LIMIT:
        name = getattr(model, "id", getattr(model, "key", ""))
        message = (
            f"The {kind.decode()} {name} takes {len(line):,} bytes, but a line of an export has at most {LINE_LIMIT:,}."
        )
        raise ValidationError(message)
    return line


def end_line(totals: Totals | StateTotals) -> bytes:
    """Return the last line."""
    return encode_json(_End(end=totals)) + b"\n"


def read_header(line: bytes, kind: type[H]) -> H:
    """Parse the first line.

    Raises:
        ValidationError: it is not the first line of an export of this kind, or has an unsupported version.
    """
    if not line:
        raise damaged(1, "The file is empty.")
    try:
        found = msgspec.json.decode(line, type=_AnyHeader).header
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if found is None or found.format != (FORMAT if kind is Header else STATE_FORMAT):
        raise damaged(1, "This is not the header of an export that `asm export` wrote.")
    version = found.version
    if version != VERSION:
        raise damaged(1, f"The format has version {version}, but this program reads version {VERSION}. Upgrade it.")
    try:
        return msgspec.json.decode(split_line(1, line, [_HEADER])[1], type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(1, f"The header is damaged: {error}.") from None


def split_line(number: int, line: bytes, kinds: Collection[str] = KINDS) -> tuple[str, bytes]:
    """Return the kind of a line, one of `kinds`, and its JSON.

    Raises:
        ValidationError: the line does not have the format of `line_of`.
    """
    if not line.endswith(b"\n"):
        raise damaged(number, "The file ends in the middle of this line: it was truncated.")
    found = _LINE.fullmatch(line)
    kind = found[1].decode() if found else ""
    if found is None or kind not in kinds:
        raise damaged(number, "The line is damaged or was edited.")
    if zlib.crc32(found[2]) != int(found[3], 16):
        raise damaged(number, "The checksum does not match: the line is damaged or was edited.")
    return kind, found[2]


def read_model(number: int, kind: type[M], body: bytes) -> M:
    """Return the checked model of a line.

    Raises:
        ValidationError: the line has no valid model.
    """
    try:
        return kind.from_dict(decode_json(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(number, f"Invalid JSON: {error}.") from None
    except ValidationError as error:
        raise damaged(number, error.message) from None


def decode_again(number: int, line: bytes) -> Line:
    """Return the model of a line that was checked before.

    Raises:
        ValidationError: the line is another one now.
    """
    kind, body = split_line(number, line, _MODELS)
    try:
        return msgspec.json.decode(body, type=_MODELS[kind], dec_hook=decode_field)
    except (ValueError, RecursionError):
        raise damaged(number, CHANGED) from None


def read_end(number: int, line: bytes, kind: type[T]) -> T:
    """Parse the last line.

    Raises:
        ValidationError: the line does not have the format of `end_line`.
    """
    try:
        end: Any = msgspec.json.decode(line, type=_End[kind])  # type: ignore[valid-type]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        end = None
    if end is None or end_line(end.end) != line:
        raise damaged(number, "The last line is damaged, truncated or was edited.")
    totals: T = end.end
    return totals
