"""Errors of vendors as kinds of `ProviderError`."""

from __future__ import annotations

import email.utils
import math
import time
from typing import TYPE_CHECKING, Any, Final

from asm_core import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUTS: Final = {408, 504}
_CONFLICT: Final = 409
_SERVER: Final = 500
_BY_STATUS: Final[dict[int, type[errors.ProviderError]]] = {
    401: errors.ProviderAuthenticationError,
    402: errors.ProviderQuotaExceededError,
    403: errors.ProviderAuthenticationError,
    _CONFLICT: errors.ProviderUnavailableError,
    429: errors.ProviderRateLimitedError,
    **dict.fromkeys(_TIMEOUTS, errors.ProviderTimeoutError),
}


def provider_error(
    vendor: str,
    message: str,
    *,
    status: int | None,
    kind: type[errors.ProviderError] | None = None,
    reason: str | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> errors.ProviderError:
    """Return the error for an answer of a vendor.

    Args:
        vendor: its name.
        message: its message.
        status: the HTTP status.
        kind: the kind of the error; None: that of the status.
        reason: the vendor's code or type of the error.
        headers: those of the answer: ``retry-after`` is read.
        request_id: the vendor's id of the request.
    """
    if kind is None:
        by_default = errors.ProviderUnavailableError if (status or _SERVER) >= _SERVER else None
        kind = _BY_STATUS.get(status or 0, by_default or errors.ProviderInvalidRequestError)
    facts = {"status": status, "reason": reason, "request_id": request_id, "retry_after": retry_after(headers or {})}
    known: dict[str, Any] = {name: value for name, value in facts.items() if value is not None}
    about = ", ".join(str(part) for part in (status, reason) if part is not None)
    return kind(f"{vendor}: {message}" + (f" ({about})" if about else ""), details=known)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds after which the vendor accepts another try, by ``retry-after-ms`` or ``retry-after``.

    >>> retry_after({"retry-after-ms": "1500"}), retry_after({"retry-after": "2"}), retry_after({})
    (1.5, 2.0, None)
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    seconds = _number(given)
    if seconds is None and given:
        try:
            date = email.utils.parsedate_to_datetime(given)
        except ValueError:
            return None
        seconds = max(0.0, date.timestamp() - time.time())
    return seconds


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
