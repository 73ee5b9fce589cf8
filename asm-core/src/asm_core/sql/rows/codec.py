"""Conversion of models to rows and back, for each dialect.

Rows are tuples of the driver's values, in the order of `asm_core.sql.schema.tables`; payloads are JSON text.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from asm_core.errors import StorageError, short_repr
from asm_core.models import EVENT_TYPES, RUN_STATUSES, SESSION_STATUSES, Artifact, Run, Session, StoredEvent, TokenUsage
from asm_core.models.state_record import StateRecord
from asm_core.models.statuses import TypesOfRows
from asm_core.querying.contents import EventContent
from asm_core.querying.queries import ActiveSession
from asm_core.sql.dialects import Dialect
from asm_core.sql.postgresql.arrays import array_literal
from asm_core.sql.rows.columns import text_of_time
from asm_core.values.money import nanos_from_usd, usd_from_nanos
from asm_core.values.payloads import decode_json, encode_json, encode_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asm_core.models import Event

M = TypeVar("M", Session, Run, StoredEvent)
Row = tuple[Any, ...]

_EVENT_TYPES: Final = TypesOfRows(EVENT_TYPES)
_last: Final = itemgetter(-1)

UNREADABLE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    msgspec.DecodeError,
)
"""Errors of a row that asm-core did not write: an unknown status or type, invalid JSON, times or money."""


def _json(values: list[str]) -> str:
    return encode_json(values).decode()


def _same(time: datetime) -> datetime:
    return time


def _payload(value: Any) -> Any:
    # The driver of an application's own engine may have decoded it already.
    return decode_json(value) if isinstance(value, str) else value


def _in_utc(time: datetime | str) -> datetime:
    if isinstance(time, str):
        return datetime.fromisoformat(f"{time}Z")  # takes a fifth of the time of replace()
    # Without a zone if it was selected in UTC; otherwise in the time zone of the connection.
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


class Codec:
    """Encodes models as rows and decodes rows as models for one dialect.

    Attributes:
        encode_time: converts an aware time in UTC to a column value.
        decode_time: its inverse.
        decode_payload: converts a column value to a payload.
        encode_several: converts several strings to one parameter.
    """

    def __init__(
        self,
        encode_time: Callable[[datetime], Any],
        decode_time: Callable[[Any], datetime],
        decode_payload: Callable[[Any], Any],
        encode_several: Callable[[list[str]], str],
    ) -> None:
        """Use these functions; everything else is the same in all dialects."""
        self.encode_several = encode_several
        self.decode_payload = decode_payload
        self.encode_time = encode_time
        self.decode_time = decode_time

    def session_row(self, session: Session) -> Row:
        """Return the row of a checked session."""
        return (
            session.id,
            session.agent_id,
            session.status.value,
            session.parent_session_id,
            encode_payload(session.metadata),
            encode_payload(session.context),
            encode_json(session.tags).decode(),
            self.encode_time(session.created_at),
            self.encode_time(session.updated_at),
            self._encode_optional_time(session.deleted_at),
            session.revision,
            session.user_id,
            session.title,
            session.title_folded,
        )

    def session(self, row: Sequence[Any]) -> Session:
        """Return the session of a row."""
        return self.sessions([row])[0]

    def sessions(self, rows: list[Any]) -> list[Session]:
        """Return the sessions of rows."""
        return self._all("Session", self._sessions, rows)

    def _sessions(self, rows: list[Any], decode_payload: Callable[[Any], Any]) -> list[Session]:
        decode_time = self.decode_time
        return [
            Session(
                id=row[0],
                agent_id=row[1],
                status=SESSION_STATUSES[row[2]],
                parent_session_id=row[3],
                metadata=decode_payload(row[4]),
                context=decode_payload(row[5]),
                tags=tuple(decode_payload(row[6])),
                created_at=decode_time(row[7]),
                updated_at=decode_time(row[8]),
                deleted_at=None if row[9] is None else decode_time(row[9]),
                revision=row[10],
                user_id=row[11],
                title=row[12],
            )
            for row in rows
        ]

    def active_sessions(self, rows: list[Any]) -> list[ActiveSession]:
        """Return the sessions of rows that end with the time of the last activity."""
        return list(map(ActiveSession, self.sessions(rows), map(self.decode_time, map(_last, rows))))

    def run_row(self, run: Run) -> Row:
        """Return the row of a checked run."""
        usage = run.token_usage
        return (
            run.id,
            run.session_id,
            run.status.value,
            None if run.input is None else encode_payload(run.input),
            None if run.output is None else encode_payload(run.output),
            None if run.error is None else encode_payload(run.error),
            encode_payload(run.metadata),
            run.turn_count,
            encode_payload(usage),
            self.encode_time(run.started_at),
            self._encode_optional_time(run.ended_at),
            run.provider,
            encode_payload(run.provider_metadata),
            None if run.cost_usd is None else nanos_from_usd(run.cost_usd),
            run.revision,
            usage.input_tokens,
            usage.output_tokens,
            usage.total_tokens,
            run.model,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.cache_write_1h_tokens,
            usage.reasoning_tokens,
        )

    def run(self, row: Sequence[Any]) -> Run:
        """Return the run of a row; the columns for totals are optional."""
        return self.runs([row])[0]

    def runs(self, rows: list[Any]) -> list[Run]:
        """Return the runs of rows."""
        return self._all("Run", self._runs, rows)

    def _runs(self, rows: list[Any], decode_payload: Callable[[Any], Any]) -> list[Run]:
        decode_time = self.decode_time
        return [
            Run(
                id=row[0],
                session_id=row[1],
                status=RUN_STATUSES[row[2]],
                input=None if row[3] is None else decode_payload(row[3]),
                output=None if row[4] is None else decode_payload(row[4]),
                error=None if row[5] is None else decode_payload(row[5]),
                metadata=decode_payload(row[6]),
                turn_count=row[7],
                token_usage=TokenUsage.stored(decode_payload(row[8])),
                started_at=decode_time(row[9]),
                ended_at=None if row[10] is None else decode_time(row[10]),
                provider=row[11],
                provider_metadata=decode_payload(row[12]),
                cost_usd=None if row[13] is None else usd_from_nanos(row[13]),
                revision=row[14],
            )
            for row in rows
        ]

    def event_row(self, event: Event) -> Row:
        """Return the row of a checked and numbered event."""
        return (
            event.id,
            event.session_id,
            event.sequence_number,
            str(event.type),
            self.encode_time(event.timestamp),
            event.run_id,
            encode_payload(event.data),
            encode_payload(event.metadata),
            event.schema_version,
            event.provider,
            event.correlation_id,
        )

    def event(self, row: Sequence[Any]) -> StoredEvent:
        """Return the event of a row."""
        return self.events([row])[0]

    def events(self, rows: list[Any]) -> list[StoredEvent]:
        """Return the events of rows."""
        return self._all("Event", self._events, rows)

    def _events(self, rows: list[Any], decode_payload: Callable[[Any], Any]) -> list[StoredEvent]:
        decode_time = self.decode_time
        return [
            StoredEvent(
                id=row[0],
                session_id=row[1],
                sequence_number=row[2],
                type=_EVENT_TYPES[row[3]],
                timestamp=decode_time(row[4]),
                run_id=row[5],
                data=decode_payload(row[6]),
                metadata=decode_payload(row[7]),
                schema_version=row[8],
                provider=row[9],
                correlation_id=row[10],
            )
            for row in rows
        ]

    def contents(self, rows: list[Any]) -> list[EventContent]:
        """Return the contents of events, of rows of `CONTENT_COLUMNS`."""
        try:
            return [
                EventContent(id_, _EVENT_TYPES[kind], number, decode_json(data), decode_json(metadata))
                for id_, kind, number, data, metadata in rows
            ]
        except UNREADABLE:
            # A row that cannot be decoded, or a driver that decodes JSON itself.
            return list(map(self._content, rows))

    def _content(self, row: Sequence[Any]) -> EventContent:
        id_, kind, number, data, metadata = row
        try:
            return EventContent(
                id_, _EVENT_TYPES[kind], number, self.decode_payload(data), self.decode_payload(metadata)
            )
        except UNREADABLE as error:
            raise unreadable(f"Event {short_repr(id_)}", id_, error) from error

    def artifact_row(self, artifact: Artifact) -> Row:
        """Return the row of a checked artifact."""
        return (
            artifact.id,
            artifact.session_id,
            artifact.run_id,
            artifact.key,
            artifact.content_type,
            artifact.byte_size,
            artifact.checksum_sha256,
            artifact.storage_backend,
            artifact.storage_ref,
            encode_payload(artifact.metadata),
            self.encode_time(artifact.created_at),
            self._encode_optional_time(artifact.deleted_at),
        )

    def artifact(self, row: Sequence[Any]) -> Artifact:
        """Return the artifact of a row."""
        id_, session_id, run_id, key, content_type, size, checksum, backend, ref, metadata, created_at, deleted_at = row
        try:
            return Artifact(
                id=id_,
                session_id=session_id,
                run_id=run_id,
                key=key,
                content_type=content_type,
                byte_size=size,
                checksum_sha256=checksum,
                storage_backend=backend,
                storage_ref=ref,
                metadata=self.decode_payload(metadata),
                created_at=self.decode_time(created_at),
                deleted_at=None if deleted_at is None else self.decode_time(deleted_at),
            )
        except UNREADABLE as error:
            raise unreadable(f"Artifact {short_repr(id_)}", id_, error) from error

    def state_row(self, record: StateRecord) -> Row:
        """Return the row of a checked record of state."""
        return (
            record.namespace,
            record.key,
            encode_json(record.value).decode(),
            record.revision,
            self.encode_time(record.created_at),
            self.encode_time(record.updated_at),
            self._encode_optional_time(record.expires_at),
        )

    def state_record(self, row: Sequence[Any]) -> StateRecord:
        """Return the record of state of a row."""
        namespace, key, value, revision, created_at, updated_at, expires_at = row
        try:
            return StateRecord(
                namespace=namespace,
                key=key,
                value=self.decode_payload(value),
                revision=revision,
                created_at=self.decode_time(created_at),
                updated_at=self.decode_time(updated_at),
                expires_at=None if expires_at is None else self.decode_time(expires_at),
            )
        except UNREADABLE as error:
            raise unreadable(f"Record {short_repr(key)}", key, error) from error

    def _all(self, name: str, decode: Callable[[list[Any], Callable[[Any], Any]], list[M]], rows: list[Any]) -> list[M]:
        with suppress(*UNREADABLE):
            return decode(rows, decode_json)
        # A row that cannot be decoded, or a driver of an application's own connection that decodes JSON itself.
        found: list[M] = []
        for row in rows:
            try:
                found += decode([row], self.decode_payload)
            except UNREADABLE as error:
                raise unreadable(f"{name} {short_repr(row[0])}", row[0], error) from error
        return found

    def encode(self, value: object) -> Any:
        """Convert one value of a query to a column value."""
        return self.encode_time(value) if isinstance(value, datetime) else value

    def _encode_optional_time(self, time: datetime | None) -> Any:
        return None if time is None else self.encode_time(time)


_CODECS: Final = {
    Dialect.SQLITE: Codec(text_of_time, datetime.fromisoformat, decode_json, _json),
    Dialect.POSTGRESQL: Codec(_same, _in_utc, _payload, array_literal),
}


def codec_of(dialect: Dialect) -> Codec:
    """Return the codec of a dialect."""
    return _CODECS[dialect]


def unreadable(what: str, id_: object, error: Exception) -> StorageError:
    """Return the error for a row of the table that cannot be decoded.

    Args:
        what: the kind of row.
        id_: its id, or that of its session.
        error: the error of decoding.
    """
    message = (
        f"{what} cannot be read ({type(error).__name__}: {error}): it is damaged, or a newer "
        "asm-core wrote it. Upgrade asm-core, or run `asm health`."
    )
    return StorageError(message, details={"id": id_})
