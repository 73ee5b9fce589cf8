"""Errors of the SDK as kinds of `ProviderError`."""

from __future__ import annotations

from typing import Any, Final

import anthropic
import httpx2

from asm_core import errors
from asm_core.escaping import described
from asm_core.providing import provider_error

VENDOR: Final = "Anthropic"
_BY_TYPE: Final[dict[str | None, type[errors.ProviderError]]] = {
    "api_error": errors.ProviderUnavailableError,
    "authentication_error": errors.ProviderAuthenticationError,
    "billing_error": errors.ProviderQuotaExceededError,
    "invalid_request_error": errors.ProviderInvalidRequestError,
    "not_found_error": errors.ProviderInvalidRequestError,
    "overloaded_error": errors.ProviderUnavailableError,
    "permission_error": errors.ProviderAuthenticationError,
    "rate_limit_error": errors.ProviderRateLimitedError,
    "request_too_large": errors.ProviderInvalidRequestError,
    "timeout_error": errors.ProviderTimeoutError,
}
_TOO_LONG: Final = ("prompt is too long", "exceed context limit", "context window")
_NO_CREDIT: Final = ("credit balance is too low", "spend limit", "usage limits")
FAILURES: Final = (
    anthropic.AnthropicError,
    httpx2.HTTPError,
    httpx2.StreamError,
    # a stream of another shape than the API's
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What the SDK, the connection and a malformed stream raise."""


def no_key(error: Exception) -> errors.ProviderError:
    """Return the error for a missing key."""
    message = f"there is no API key. Pass api_key, or set ANTHROPIC_API_KEY. ({error})"
    return provider_error(VENDOR, message, status=None, kind=errors.ProviderAuthenticationError)


def translated(error: Exception) -> errors.ProviderError:
    """Return an exception of the SDK as an error of its kind."""
    if isinstance(error, anthropic.APIStatusError):
        return _answered(error)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return provider_error(VENDOR, "no answer in time.", status=None, kind=errors.ProviderTimeoutError)
    if isinstance(error, anthropic.CredentialsError):
        return no_key(error)
    message = f"the connection or the stream failed: {described(error.__cause__ or error)}"
    return provider_error(VENDOR, message, status=None, kind=errors.ProviderUnavailableError)


def _answered(error: anthropic.APIStatusError) -> errors.ProviderError:
    body: Any = error.body if isinstance(error.body, dict) else {}
    details = body.get("error") if isinstance(body.get("error"), dict) else {}
    reason = details.get("type")
    message = details.get("message") or error.message
    status = error.status_code if error.status_code >= 400 else None  # noqa: PLR2004  an error within a stream has 200
    return provider_error(
        VENDOR,
        message,
        status=status,
        kind=_kind(reason, message.lower()),
        reason=reason,
        headers=error.response.headers,
        request_id=error.request_id or body.get("request_id"),
    )


def _kind(reason: str | None, message: str) -> type[errors.ProviderError] | None:
    kind = _BY_TYPE.get(reason)
    if kind in {errors.ProviderInvalidRequestError, errors.ProviderRateLimitedError}:
        # The type is that of any invalid request: only the message has the reason.
        if any(text in message for text in _NO_CREDIT):
            return errors.ProviderQuotaExceededError
        if kind is errors.ProviderInvalidRequestError and any(text in message for text in _TOO_LONG):
            return errors.ProviderContextLengthError
    return kind
