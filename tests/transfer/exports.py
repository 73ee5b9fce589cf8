"""Sessions to export, and files to doubt."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from asm_core.models import Artifact, Event, Run, Session
from asm_core.transfer import dump_session, load_session
from asm_core.transfer.lines import STATE_FIRST_BYTES, StateTotals, end_line

if TYPE_CHECKING:
    from asm_core.ports import Backend

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PAYLOAD = {"z": 1, "a": ["\0", "🙂\u2028", 1.5, -(2**63), None, {}], "nested": {"text": "line\nline\x1b[31m"}}


def fill(backend: Backend, events: int = 5) -> str:
    session = Session.new(agent_id="agent", status="completed", metadata=PAYLOAD, tags=["b", "a"], created_at=START)
    backend.session_store.save_session(session)
    for minute in range(2):
        run = Run.new(session_id=session.id, input=PAYLOAD, provider="p", started_at=START + timedelta(minutes=minute))
        run = run.with_cost(Decimal("0.000000001")).add_token_usage({"input_tokens": 7, "cached": 3})
        backend.session_store.save_run(run)
    kinds = ("session_created", "message_streamed", "message_received")
    backend.session_store.append_events(
        Event.new(type=kinds[min(number, 2)], session_id=session.id, data={**PAYLOAD, "number": number})
        for number in range(events)
    )
    artifact = Artifact.new(
        key=f"key of {session.id}",
        session_id=session.id,
        byte_size=1,
        checksum_sha256="0" * 64,
        storage_backend="file",
        storage_ref="/x",
    )
    backend.artifact_registry.register(artifact)
    return session.id


def exported(backend: Backend, session_id: str) -> bytes:
    file = io.BytesIO()
    dump_session(backend, session_id, file)
    return file.getvalue()


def imported(backend: Backend, data: bytes) -> Any:
    return load_session(backend, io.BytesIO(data))


def sealed(lines: list[bytes]) -> bytes:
    """Give lines the last line that fits them, as a forger would."""
    body = b"".join(lines)
    if lines[0].startswith(STATE_FIRST_BYTES):
        return body + end_line(StateTotals(records=len(lines) - 1, sha256=hashlib.sha256(body).hexdigest()))
    counts = [sum(line.startswith(b'{"%b"' % kind) for line in lines) for kind in (b"run", b"event", b"artifact")]
    totals = {
        "runs": counts[0],
        "events": counts[1],
        "artifacts": counts[2],
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return body + json.dumps({"end": totals}, separators=(",", ":")).encode() + b"\n"


def forged(line: bytes, **fields: Any) -> bytes:
    """Change fields of the model on a line, and give it the check sum that fits."""
    document = json.loads(line)
    kind = next(iter(document))
    body = json.dumps({**document[kind], **fields}).encode()
    return b'{"%b":%b,"crc32":"%08x"}\n' % (kind.encode(), body, zlib.crc32(body))
