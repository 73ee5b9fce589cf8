"""The names of attributes, by the semantic conventions of OpenTelemetry, and what is an error of a span."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry.trace import Status, StatusCode

from asm_core.errors import AsmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
CONVERSATION: Final = "gen_ai.conversation.id"
REQUEST_MODEL: Final = "gen_ai.request.model"
ERROR_TYPE: Final = "error.type"
CANCELLED: Final = "asm.cancelled"
"""Ours: the call was cancelled, which is no error."""

_USAGE: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",  # all of them, as in our canonical counts
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}
_WHOLE: Final = ("max_tokens", "seed")
_FRACTIONS: Final = ("frequency_penalty", "presence_penalty", "temperature", "top_k", "top_p")
_PORTS: Final = {"http": 80, "https": 443}


def of_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a request: its model, its server, and the settings that the conventions name."""
    found: dict[str, Any] = {f"gen_ai.request.{name}": request[name] for name in _WHOLE if _is_number(request, name)}
    found |= {f"gen_ai.request.{name}": float(request[name]) for name in _FRACTIONS if _is_number(request, name)}
    if request.get("model"):
        found[REQUEST_MODEL] = request["model"]
    url = urlsplit(str(request.get("url") or ""))
    if url.hostname:
        found |= {"server.address": url.hostname, "server.port": url.port or _PORTS.get(url.scheme, 0)}
    return found


def of_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a response, or of all responses of a run."""
    named = {"gen_ai.response.model": answer.get("model"), "gen_ai.response.id": answer.get("response_id")}
    found: dict[str, Any] = {name: value for name, value in named.items() if isinstance(value, str)}
    if isinstance(answer.get("stop_reason"), str):
        found["gen_ai.response.finish_reasons"] = [answer["stop_reason"]]
    usage = answer.get("usage") or {}
    return found | {name: usage[count] for count, name in _USAGE.items() if usage.get(count) is not None}


def record_error(span: Span, error: BaseException) -> None:
    """Record an exception in a span: its code or its class, never its message, which may have content."""
    if isinstance(error, CancelledError) or (isinstance(error, AsmError) and error.details.get("cancelled") is True):
        span.set_attribute(CANCELLED, value=True)
    else:
        record_error_type(span, error.code if isinstance(error, AsmError) else type(error).__qualname__)


def record_error_type(span: Span, kind: str) -> None:
    """Record that a span ended with an error of this kind."""
    span.set_attribute(ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))


def _is_number(request: Mapping[str, Any], name: str) -> bool:
    value = request.get(name)
    return isinstance(value, int | float) and not isinstance(value, bool)
