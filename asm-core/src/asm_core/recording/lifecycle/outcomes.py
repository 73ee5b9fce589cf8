"""The outcomes of an execution, and their effects on run and session."""

from __future__ import annotations

from typing import Final

import msgspec

from asm_core.errors import AsmError, PolicyViolationError, ProviderError, ValidationError
from asm_core.models import Event, EventType, Run, RunStatus, Session, SessionStatus
from asm_core.ports import ProviderResult
from asm_core.recording.lifecycle.claims import end_id, once_id
from asm_core.values.payloads import Payload, check_payload

RUN_ENDS: Final = {
    RunStatus.COMPLETED: EventType.RUN_COMPLETED,
    RunStatus.FAILED: EventType.RUN_FAILED,
    RunStatus.CANCELLED: EventType.RUN_CANCELLED,
    RunStatus.TIMEOUT: EventType.RUN_TIMEOUT,
}
_SESSION_EVENTS: Final = {
    SessionStatus.COMPLETED: EventType.SESSION_COMPLETED,
    SessionStatus.FAILED: EventType.SESSION_FAILED,
    SessionStatus.CANCELLED: EventType.SESSION_CANCELLED,
}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an execution.

    Attributes:
        run_status: the final status of the run.
        session_status: the final status of the session, if it ends with the run.
        result: the result of the provider.
        error: the recorded reason.
        raises: the exception that the caller gets instead of a result.
        violation: the data of the event ``policy_violation``, if a policy ended the run.
    """

    run_status: RunStatus
    session_status: SessionStatus
    result: ProviderResult | None = None
    error: Payload | None = None
    raises: BaseException | None = None
    violation: Payload | None = None

    def close_run(self, run: Run) -> Run:
        """Return the ended run of a pending or running one."""
        if run.status is RunStatus.PENDING:
            run = run.with_status(RunStatus.RUNNING)
        if self.result is not None:
            run = run.with_output(self.result.output).with_provider_metadata(self.result.provider_metadata)
            if self.result.cost_usd is not None:
                run = run.with_cost(self.result.cost_usd)
        if self.error is not None:
            run = run.with_error(self.error)
        return run.with_status(self.run_status)

    def events(self, run: Run) -> list[Event]:
        """Return the events of the end of the run, from its state before."""
        if self.violation is None:
            return [self.run_event(run)]
        violation = Event.new(
            id=once_id("run", run.id, "violation"),
            type=EventType.POLICY_VIOLATION,
            session_id=run.session_id,
            run_id=run.id,
            provider=run.provider,
            data=self.violation,
        )
        return [violation, self.run_event(run)]

    def run_event(self, run: Run) -> Event:
        """Return the event that ends the run, from its state before, with the usage of that state."""
        data: Payload = {} if self.error is None else {"error": self.error}
        if self.error is None or run.token_usage:
            data["token_usage"] = dict(run.token_usage)
        if self.result is not None and "stop_reason" in self.result.output:
            data["stop_reason"] = self.result.output["stop_reason"]
        cost = self.close_run(run).cost_usd
        if cost is not None:
            data["cost_usd"] = f"{cost:f}"
        return Event.new(
            id=end_id(run),
            type=RUN_ENDS[self.run_status],
            session_id=run.session_id,
            run_id=run.id,
            provider=run.provider,
            data=data,
        )

    def session_event(self, session: Session) -> Event:
        """Return the event that ends the session."""
        data = {} if self.error is None else {"error": self.error}
        return Event.new(
            id=end_id(session), type=_SESSION_EVENTS[self.session_status], session_id=session.id, data=data
        )


def completed(result: ProviderResult, run: Run) -> Outcome:
    """Return the outcome of a run with this result.

    Raises:
        ValidationError: the result has an invalid value.
    """
    if not isinstance(result, ProviderResult):
        message = f"A provider must return a ProviderResult, not a {type(result).__name__}."
        raise ValidationError(message)
    outcome = Outcome(run_status=RunStatus.COMPLETED, session_status=SessionStatus.COMPLETED, result=result)
    outcome.close_run(run)
    return outcome


def failed(error: BaseException) -> Outcome:
    """Return the outcome of a run that raised an error; the caller gets the error.

    A `ProviderError` whose details have ``cancelled: True`` is a provider's way to report a cancellation.
    """
    run_status, session_status = RunStatus.FAILED, SessionStatus.FAILED
    if isinstance(error, ProviderError) and error.details.get("cancelled") is True:
        run_status, session_status = RunStatus.CANCELLED, SessionStatus.CANCELLED
    return Outcome(run_status=run_status, session_status=session_status, error=describe(error), raises=error)


def cancelled(message: str, raises: BaseException | None = None) -> Outcome:
    """Return the outcome of a cancelled run."""
    error = ProviderError(message, details={"cancelled": True})
    return Outcome(
        run_status=RunStatus.CANCELLED,
        session_status=SessionStatus.CANCELLED,
        error=describe(error),
        raises=raises or error,
    )


def violated(violation: Payload) -> Outcome:
    """Return the outcome of a run that a policy ended."""
    what = violation.get("tool_name") or violation.get("limit")
    used = f": {violation['used']} of {violation['maximum']}" if "maximum" in violation else ""
    message = f"The policy {violation['policy']!r} ended the run ({what}{used})."
    error = PolicyViolationError(message, details={**violation, "cancelled": True})
    return Outcome(
        run_status=RunStatus.CANCELLED,
        session_status=SessionStatus.CANCELLED,
        error=describe(error),
        raises=error,
        violation=violation,
    )


def timed_out(seconds: float) -> Outcome:
    """Return the outcome of a run that timed out."""
    error = ProviderError(f"The run was ended after its timeout of {seconds:g} seconds.", details={"timeout": seconds})
    return Outcome(
        run_status=RunStatus.TIMEOUT, session_status=SessionStatus.FAILED, error=describe(error), raises=error
    )


def ended_as(run_status: RunStatus, error: BaseException) -> Outcome:
    """Return the outcome of a run that another process ended with this status."""
    session_status = {
        RunStatus.COMPLETED: SessionStatus.COMPLETED,
        RunStatus.CANCELLED: SessionStatus.CANCELLED,
    }.get(run_status, SessionStatus.FAILED)
    return Outcome(run_status=run_status, session_status=session_status, error=describe(error), raises=error)


def error_type(outcome: Outcome) -> str | None:
    """Return the kind of error of a run for its span; None: it has none. A cancellation is none, but by a policy."""
    if outcome.run_status is RunStatus.TIMEOUT:
        return "timeout"
    if outcome.error is None or (outcome.run_status is RunStatus.CANCELLED and outcome.violation is None):
        return None
    code: str = outcome.error["code"]
    is_foreign = not isinstance(outcome.raises, AsmError) and outcome.raises is not None
    return type(outcome.raises).__qualname__ if is_foreign else code


def describe(error: BaseException) -> Payload:
    """Return the recordable data of any error."""
    if isinstance(error, AsmError):
        fields = error.to_dict()
    else:
        fields = {
            "code": "exception",
            "message": _told(error),
            "details": {"type": type(error).__qualname__},
            "retryable": False,
        }
    fields["message"] = _text(fields["message"])
    try:
        return check_payload("error", fields)
    except ValidationError:
        return {**fields, "details": {"repr": _text(repr(fields["details"]))}}


def _told(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001  the error's own str() may raise
        return f"{type(error).__qualname__} (its message cannot be shown: {type(failure).__name__})"


def _text(value: str) -> str:
    """Replace lone surrogates, which file names may contain."""
    return value.encode(errors="backslashreplace").decode()
