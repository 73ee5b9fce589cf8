"""The errors of this project.

::

    AsmError
    ├── ValidationError                  validation_error
    │   ├── InvalidStatusError           invalid_status
    │   ├── InvalidTransitionError       invalid_transition
    │   ├── InvalidEventTypeError        invalid_event_type
    │   └── InvalidCursorError           invalid_cursor
    ├── NotFoundError                    not_found
    │   ├── SessionNotFoundError         session_not_found
    │   └── RunNotFoundError             run_not_found
    ├── AlreadyExistsError               already_exists
    ├── RevisionConflictError            revision_conflict
    ├── SessionDeletedError              session_deleted
    ├── StorageError                     storage_error
    │   ├── StorageConnectionError       storage_connection_failed   (retryable)
    │   ├── QueryError                   query_error
    │   ├── MaintenanceError             maintenance_error
    │   ├── LogSetBackError              log_set_back
    │   └── MigrationRequiredError       migration_required
    ├── BusyError                        busy                        (retryable)
    ├── ProviderError                    provider_error
    │   ├── ProviderRateLimitedError     provider_rate_limited       (retryable)
    │   ├── ProviderUnavailableError     provider_unavailable        (retryable)
    │   ├── ProviderTimeoutError         provider_timeout            (retryable)
    │   ├── ProviderQuotaExceededError   provider_quota_exceeded
    │   ├── ProviderAuthenticationError  provider_authentication_failed
    │   ├── ProviderInvalidRequestError  provider_invalid_request
    │   │   └── ProviderContextLengthError provider_context_length_exceeded
    │   ├── ProviderContentFilteredError provider_content_filtered
    │   └── PolicyViolationError         policy_violation
    ├── DependencyNotAvailableError      dependency_not_available
    ├── UnsupportedCapabilityError       unsupported_capability
    └── PluginError                      plugin_error
        ├── UnknownBackendError          unknown_backend
        ├── BrokenBackendError           broken_backend
        ├── IncompatibleBackendError     incompatible_backend
        ├── UnknownProviderError         unknown_provider
        ├── BrokenProviderError          broken_provider
        └── IncompatibleProviderError    incompatible_provider
"""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from asm_core.escaping import short_repr as short_repr  # noqa: PLC0414  every module imports it from here

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_PLACE: Final = re.compile("://|//|:/")


class AsmError(Exception):
    """An error of the agent session manager.

    Attributes:
        code: the stable, machine-readable name of the error.
        message: what was wrong, with which value, and what to do.
        details: JSON-shaped facts for programs.
        retryable: whether the same call may succeed later.
    """

    code: ClassVar[str] = "asm_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None, *, details: Mapping[str, Any] | None = None) -> None:
        self.message = without_account(message or (type(self).__doc__ or "").partition("\n")[0])
        self.details: dict[str, Any] = dict(details or {})
        super().__init__(self.message)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"code", "message", "details", "retryable"}``, JSON-shaped."""
        return {
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "retryable": self.retryable,
        }


class ValidationError(AsmError):
    """Invalid value of an argument or a field."""

    code = "validation_error"


class InvalidStatusError(ValidationError):
    """Unknown status."""

    code = "invalid_status"


class InvalidTransitionError(ValidationError):
    """Invalid transition of a session or run from its status to another."""

    code = "invalid_transition"


class InvalidEventTypeError(ValidationError):
    """Unknown event type."""

    code = "invalid_event_type"


class InvalidCursorError(ValidationError):
    """Invalid cursor: damaged, or of another resource or order. Start again without a cursor."""

    code = "invalid_cursor"


class NotFoundError(AsmError):
    """Not found."""

    code = "not_found"


class SessionNotFoundError(NotFoundError):
    """No session has this id."""

    code = "session_not_found"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"No session has the id {short_repr(session_id)}. Save the session first, or find its id with "
            "list_sessions().",
            details={"session_id": session_id},
        )

    def __reduce__(self) -> tuple[type[SessionNotFoundError], tuple[str]]:
        """Rebuild from the id, so that the error can be pickled."""
        return type(self), (self.details["session_id"],)


class RunNotFoundError(NotFoundError):
    """No run has this id."""

    code = "run_not_found"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"No run has the id {short_repr(run_id)}. Save the run first, or find its id with list_runs().",
            details={"run_id": run_id},
        )

    def __reduce__(self) -> tuple[type[RunNotFoundError], tuple[str]]:
        """Rebuild from the id, so that the error can be pickled."""
        return type(self), (self.details["run_id"],)


class AlreadyExistsError(AsmError):
    """The id, key or number is already in use."""

    code = "already_exists"


class RevisionConflictError(AsmError):
    """The session, run or record was saved by another writer after it was read."""

    code = "revision_conflict"

    def __init__(self, kind: str, record_id: str, *, expected: int, stored: int) -> None:
        name = f"{kind.capitalize()} {short_repr(record_id)}"
        if not stored:
            message = f"{name} is not stored, but revision {expected} was expected. expected_revision=0 creates it."
        elif not expected:
            message = f"{name} is already stored, with revision {stored}; expected_revision=0 only creates."
        else:
            helper = "" if kind == "record" else f", as update_{kind}() does"
            message = (
                f"{name} has revision {stored}, not {expected}: another writer saved it. Read it again and repeat the "
                f"change{helper}."
            )
        details = {"kind": kind, "id": record_id, "expected_revision": expected, "revision": stored}
        super().__init__(message, details=details)

    def __reduce__(self) -> tuple[partial[RevisionConflictError], tuple[str, str]]:
        """Rebuild from the constructor's arguments, so that the error can be pickled."""
        details = self.details
        build = partial(type(self), expected=details["expected_revision"], stored=details["revision"])
        return build, (details["kind"], details["id"])


class SessionDeletedError(AsmError):
    """The session is soft-deleted and accepts no events or runs."""

    code = "session_deleted"

    def __init__(self, session_id: str, *, in_removal: bool = False) -> None:
        remedy = (
            "Its removal has begun, so it cannot be restored. Write to another session"
            if in_removal
            else "Restore it with Maintenance.undelete_session(), or write to another session"
        )
        super().__init__(
            f"Session {short_repr(session_id)} is soft-deleted and accepts no events or runs. {remedy}.",
            details={"session_id": session_id, "in_removal": in_removal},
        )

    def __reduce__(self) -> tuple[partial[SessionDeletedError], tuple[str]]:
        """Rebuild from the id, so that the error can be pickled."""
        return partial(type(self), in_removal=self.details["in_removal"]), (self.details["session_id"],)


class StorageError(AsmError):
    """The database rejected an operation, or the operation failed."""

    code = "storage_error"


class StorageConnectionError(StorageError):
    """The database cannot be reached, or was busy for too long. Retry the call."""

    code = "storage_connection_failed"
    retryable = True


class QueryError(StorageError):
    """A query failed."""

    code = "query_error"


class MaintenanceError(StorageError):
    """A step of maintenance failed. The steps before it stay committed."""

    code = "maintenance_error"


class LogSetBackError(StorageError):
    """The log of a session lost events that were already read."""

    code = "log_set_back"

    def __init__(self, session_id: str, last_seen: int, found: str) -> None:
        super().__init__(
            f"The log of session {short_repr(session_id)} was set back: it was read up to number {last_seen}, and now "
            f"{found}. A failover or a restored backup lost events, or the session was deleted and created again. "
            "Discard the events that were read, and read the log from the start.",
            details={"session_id": session_id, "last_seen": last_seen, "found": found},
        )

    def __reduce__(self) -> tuple[type[LogSetBackError], tuple[str, int, str]]:
        """Rebuild from the constructor's arguments, so that the error can be pickled."""
        return type(self), (self.details["session_id"], self.details["last_seen"], self.details["found"])


class MigrationRequiredError(StorageError):
    """The schema of the database has another version than the required one."""

    code = "migration_required"


class BusyError(AsmError):
    """Another run of the session is executed, or the manager executes as many runs as it may."""

    code = "busy"
    retryable = True


class ProviderError(AsmError):
    """The provider failed to complete the run.

    Attributes:
        retry_after: seconds after which the provider accepts another try, from `details`; None if it named none.
    """

    code = "provider_error"

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the provider accepts another try; None if it named none."""
        seconds = self.details.get("retry_after")
        valid = (
            isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= sys.float_info.max
        )
        return float(seconds) if valid else None  # type: ignore[arg-type]


class ProviderRateLimitedError(ProviderError):
    """The provider received too many requests."""

    code = "provider_rate_limited"
    retryable = True


class ProviderUnavailableError(ProviderError):
    """The provider cannot be reached, or is overloaded."""

    code = "provider_unavailable"
    retryable = True


class ProviderTimeoutError(ProviderError):
    """The provider did not answer in time."""

    code = "provider_timeout"
    retryable = True


class ProviderQuotaExceededError(ProviderError):
    """The account at the provider has no credit left."""

    code = "provider_quota_exceeded"


class ProviderAuthenticationError(ProviderError):
    """The provider refused the key, or the key has no access to the model."""

    code = "provider_authentication_failed"


class ProviderInvalidRequestError(ProviderError):
    """The provider refused the request."""

    code = "provider_invalid_request"


class ProviderContextLengthError(ProviderInvalidRequestError):
    """The conversation is longer than the model's context window."""

    code = "provider_context_length_exceeded"


class ProviderContentFilteredError(ProviderError):
    """The provider's content filter refused the request or the answer."""

    code = "provider_content_filtered"


class PolicyViolationError(ProviderError):
    """A policy ended the run."""

    code = "policy_violation"


class DependencyNotAvailableError(AsmError):
    """An optional dependency is not installed."""

    code = "dependency_not_available"


class UnsupportedCapabilityError(AsmError):
    """The call needs a capability that the backend does not declare."""

    code = "unsupported_capability"

    def __init__(self, backend: str, capability: str) -> None:
        super().__init__(
            f"The backend {backend!r} does not have the capability '{capability}'. "
            "Choose a backend that declares it. `asm backends` lists them.",
            details={"backend": backend, "capability": capability},
        )

    def __reduce__(self) -> tuple[type[UnsupportedCapabilityError], tuple[str, str]]:
        """Rebuild from the constructor's arguments, so that the error can be pickled."""
        return type(self), (self.details["backend"], self.details["capability"])


class PluginError(AsmError):
    """A backend or a provider could not be loaded."""

    code = "plugin_error"


class UnknownBackendError(PluginError):
    """No installed distribution offers a backend of this name."""

    code = "unknown_backend"

    def __init__(self, name: str, installed: Iterable[str]) -> None:
        names = sorted(installed)
        super().__init__(_unknown("backend", name, names), details=_named(name, names))

    def __reduce__(self) -> tuple[type[UnknownBackendError], tuple[str, list[str]]]:
        """Rebuild from the constructor's arguments, so that the error can be pickled."""
        return type(self), (self.details["name"], self.details["installed"])


class BrokenBackendError(PluginError):
    """An installed backend cannot be loaded. The cause is chained."""

    code = "broken_backend"


class IncompatibleBackendError(PluginError):
    """An installed backend was written for another version of the ports."""

    code = "incompatible_backend"


class UnknownProviderError(PluginError):
    """No installed distribution offers a provider of this name."""

    code = "unknown_provider"

    def __init__(self, name: str, installed: Iterable[str]) -> None:
        names = sorted(installed)
        super().__init__(_unknown("provider", name, names), details=_named(name, names))

    def __reduce__(self) -> tuple[type[UnknownProviderError], tuple[str, list[str]]]:
        """Rebuild from the constructor's arguments, so that the error can be pickled."""
        return type(self), (self.details["name"], self.details["installed"])


class BrokenProviderError(PluginError):
    """An installed provider cannot be loaded. The cause is chained."""

    code = "broken_provider"


class IncompatibleProviderError(PluginError):
    """An installed provider was written for another version of the ports."""

    code = "incompatible_provider"


def _unknown(word: str, name: str, installed: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  only for an error

    close = get_close_matches(name, installed, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"No {word} named {short_repr(name)}.{hint} Installed: {', '.join(installed) or 'none'}."


def _named(name: str, installed: list[str]) -> dict[str, Any]:
    return {"name": without_account(name), "installed": installed}


def without_account(text: str) -> str:
    """Remove the account of a URL from `text`: everything from ``//`` to the last ``@``.

    A password may contain any character, also ``@``, ``/`` or a space, so only the last ``@`` is safe.

    >>> without_account("no store is called 'postgresql://user:12?secret@host/db'")
    "no store is called 'postgresql://…@host/db'"
    """
    end = text.rfind("@")
    start = _PLACE.search(text, 0, end) if end > 0 else None
    return text if start is None else f"{text[: start.end()]}…{text[end:]}"
