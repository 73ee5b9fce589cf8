"""Errors of the SDK as kinds of `ProviderError`."""

from __future__ import annotations

from typing import Any, Final

import httpx2
import openai

from asm_core import errors
from asm_core.escaping import described
from asm_core.providing import provider_error

VENDOR: Final = "OpenAI"
FAILURES: Final = (
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.StreamError,
    # a stream of another shape than the API's
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What the SDK, the connection and a malformed stream raise."""
_BY_CODE: Final[dict[str | None, type[errors.ProviderError]]] = {
    "bio_policy": errors.ProviderContentFilteredError,
    "content_filter": errors.ProviderContentFilteredError,
    "content_policy_violation": errors.ProviderContentFilteredError,
    "context_length_exceeded": errors.ProviderContextLengthError,
    "cyber_policy": errors.ProviderContentFilteredError,
    "image_content_policy_violation": errors.ProviderContentFilteredError,
    "insufficient_quota": errors.ProviderQuotaExceededError,
    "billing_hard_limit_reached": errors.ProviderQuotaExceededError,
    "invalid_api_key": errors.ProviderAuthenticationError,
    "invalid_prompt": errors.ProviderInvalidRequestError,
    "misalignment_policy_violation": errors.ProviderContentFilteredError,
    "model_not_found": errors.ProviderInvalidRequestError,
    "rate_limit_exceeded": errors.ProviderRateLimitedError,
    "server_error": errors.ProviderUnavailableError,
    "string_above_max_length": errors.ProviderInvalidRequestError,
    "vector_store_timeout": errors.ProviderTimeoutError,
}
_TOO_LONG: Final = ("maximum context length", "context window", "context length", "context size")


def no_key(error: Exception) -> errors.ProviderError:
    """Return the error for a missing key."""
    message = f"there is no API key. Pass api_key, or set OPENAI_API_KEY. ({error})"
    return provider_error(VENDOR, message, status=None, kind=errors.ProviderAuthenticationError)


def translated(error: Exception) -> errors.ProviderError:
    """Return an exception of the SDK as an error of its kind."""
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return provider_error(VENDOR, "no answer in time.", status=None, kind=errors.ProviderTimeoutError)
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIConnectionError):
        response: Any = getattr(error, "response", None)
        return answered(
            _message(error),
            code=error.code or error.type,
            status=getattr(error, "status_code", None),
            headers={} if response is None else response.headers,
            request_id=getattr(error, "request_id", None),
        )
    message = f"the connection or the stream failed: {described(error.__cause__ or error)}"
    return provider_error(VENDOR, message, status=None, kind=errors.ProviderUnavailableError)


def answered(message: str, *, code: str | None, status: int | None = None, **facts: Any) -> errors.ProviderError:
    """Return the error for one that the server reports, also within a stream, where it has no status."""
    kind = _BY_CODE.get(code)
    is_refused = kind is errors.ProviderInvalidRequestError or (kind is None and (status or 500) < 500)  # noqa: PLR2004
    if is_refused and any(text in message.lower() for text in _TOO_LONG):
        kind = errors.ProviderContextLengthError
    return provider_error(VENDOR, message, status=status, kind=kind, reason=code, **facts)


def _message(error: openai.APIError) -> str:
    body = error.body
    found = body.get("message") if isinstance(body, dict) else None
    return found if isinstance(found, str) and found else error.message
