"""Models, pages and summaries are types of Pydantic: FastAPI documents their fields, validates and returns them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from fastapi import Body, FastAPI
from fastapi.testclient import TestClient
from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError

import asm_core as asm
from asm_core.retention.policy import Compaction

TIME = datetime(2026, 11, 27, 8, 30, 0, 120, tzinfo=UTC)
SESSION = asm.Session.new(id="ses_1", agent_id="a", tags=["x", "y"], metadata={"a": [1, None]}, created_at=TIME)
RUN = msgspec.structs.replace(
    asm.Run.new(session_id="ses_1", token_usage={"input_tokens": 5, "mine": 1}, started_at=TIME),
    cost_usd=Decimal("0.000000001"),
)
EVENT = asm.Event.new(type="acme.thinking", session_id="ses_1", data={"text": "é\0"}, timestamp=TIME)
ARTIFACT = asm.Artifact.new(
    key="k", byte_size=3, checksum_sha256="0" * 64, storage_backend="file", storage_ref="r", created_at=TIME
)
VALUES: list[tuple[Any, Any]] = [
    (asm.Session, SESSION),
    (asm.Run, RUN),
    (asm.Event, EVENT),
    (asm.Artifact, ARTIFACT),
    (asm.TokenUsage, asm.TokenUsage(input_tokens=5, output_tokens=2, mine=1)),
    (asm.Page[asm.Session], asm.Page(items=[SESSION], cursor="c", total_count=4)),
    (asm.Page[asm.Run], asm.Page(items=[RUN])),
    (asm.Page[asm.StoredEvent], asm.Page(items=[EVENT])),
    (asm.SessionExport, asm.SessionExport(session=SESSION, runs=[RUN], events=[], last_sequence=0)),
    (
        asm.SessionStats,
        asm.SessionStats(session_id="ses_1", runs_by_status={asm.RunStatus.FAILED: 2}, first_event_at=TIME),
    ),
    (asm.ArtifactStats, asm.ArtifactStats(session_id="ses_1", artifact_count=2, total_bytes=9)),
    (asm.UsageSummary, asm.UsageSummary(run_count=1, rows=[asm.UsageRow(run_count=1, model="m", input_tokens=4)])),
    (
        asm.CostSummary,
        asm.CostSummary(
            run_count=1,
            unpriced_run_count=0,
            total_cost_usd=Decimal("1.50"),
            rows=[asm.CostRow(run_count=1, unpriced_run_count=0, cost_usd=None)],
        ),
    ),
    (asm.MaintenanceReport, asm.MaintenanceReport(events_pruned=3, duration_ms=1.5)),
    (Compaction, Compaction(size_before=2, size_after=1)),
]


def named(value: Any) -> str:
    return getattr(value, "__name__", "") if isinstance(value, type) else ""


def body_of(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else msgspec.json.decode(msgspec.json.encode(value))


def fields_of(kind: Any) -> set[str]:
    return (
        {*asm.models.TOKEN_COUNTS} if kind is asm.TokenUsage else {field.name for field in msgspec.structs.fields(kind)}
    )


def app_of(kind: Any, value: Any) -> TestClient:
    app = FastAPI()

    def read() -> Any:
        return value

    def echo(body: Any) -> Any:
        return body

    echo.__annotations__["body"] = Annotated[kind, Body()]
    app.get("/", response_model=kind)(read)
    app.post("/", response_model=kind)(echo)
    return TestClient(app)


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=named)
def test_openapi_shows_the_fields_of_requests_and_responses(kind: Any, value: Any) -> None:
    document = app_of(kind, value).get("/openapi.json").json()
    schemas = document["components"]["schemas"]

    def resolved(content: Any) -> Any:
        return schemas[content["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]

    path = document["paths"]["/"]
    for schema in (resolved(path["get"]["responses"]["200"]), resolved(path["post"]["requestBody"])):
        assert set(schema["properties"]) == fields_of(kind)
        assert schema["description"]
        for field in schema["properties"].values():
            assert field.keys() & {"type", "anyOf", "allOf", "$ref"}


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=named)
def test_the_body_of_a_response_is_that_of_to_dict(kind: Any, value: Any) -> None:
    assert app_of(kind, value).get("/").json() == body_of(value)


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=named)
def test_a_request_is_rebuilt_from_its_body(kind: Any, value: Any) -> None:
    assert TypeAdapter(kind).validate_json(msgspec.json.encode(value)) == value
    assert app_of(kind, value).post("/", json=body_of(value)).json() == body_of(value)


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        (asm.Session, {**SESSION.to_dict(), "agent_id": ""}, "validation_error"),
        (asm.Session, {**SESSION.to_dict(), "unknown": 1}, "validation_error"),
        (asm.Session, {**SESSION.to_dict(), "revision": "1"}, "validation_error"),
        (asm.Session, {**SESSION.to_dict(), "status": "odd"}, "invalid_status"),
        (asm.Run, {"id": "run_1"}, "validation_error"),
        (asm.Event, {**EVENT.to_dict(), "type": "nodot"}, "invalid_event_type"),
        (asm.Event, [], "validation_error"),
    ],
)
def test_invalid_fields_are_refused_as_by_from_dict(kind: Any, fields: Any, code: str) -> None:
    with pytest.raises(asm.ValidationError) as expected:
        kind.from_dict(fields)
    with pytest.raises(PydanticError) as refused:
        TypeAdapter(kind).validate_python(fields)
    [error] = refused.value.errors()
    assert (error["type"], error["msg"]) == (expected.value.code, expected.value.message)
    assert error["type"] == code
    answer = app_of(kind, None).post("/", json=fields)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"] == expected.value.message


def test_invalid_counts_and_items_of_a_page_are_refused() -> None:
    for kind, fields in [
        (asm.TokenUsage, {"input_tokens": -1}),
        (asm.TokenUsage, 5),
        (asm.Page[asm.Session], {"items": [{**SESSION.to_dict(), "agent_id": ""}]}),
        (asm.SessionStats, {"session_id": 5}),
    ]:
        with pytest.raises(PydanticError):
            TypeAdapter(kind).validate_python(fields)


def test_fields_have_types_and_descriptions() -> None:
    schema = TypeAdapter(asm.Run).json_schema(mode="serialization")
    run = schema["$defs"]["Run"] if "$ref" in schema else schema
    assert run["properties"]["turn_count"] == {
        "default": 0,
        "description": "the number of turns so far.",
        "title": "Turn Count",
        "type": "integer",
    }
    assert run["properties"]["started_at"]["format"] == "date-time"
    assert run["required"] == list(run["properties"])
    assert schema["$defs"]["RunStatus"]["enum"] == [str(status) for status in asm.RunStatus]
