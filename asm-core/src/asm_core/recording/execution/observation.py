"""The logs and the span of one run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from asm_core import logs
from asm_core.models import RunStatus
from asm_core.recording.lifecycle.metering import priced
from asm_core.recording.lifecycle.outcomes import error_type

if TYPE_CHECKING:
    from asm_core.models import Run, Session, TokenUsage
    from asm_core.recording.execution.options import Options
    from asm_core.recording.lifecycle.outcomes import Outcome
    from asm_core.tracing.run_trace import RunTrace


class Observation:
    """Logs a run, and traces it if the options ask for it.

    Attributes:
        trace: the spans of the run.
    """

    def __init__(self, run: Run, options: Options) -> None:
        """Observe a run."""
        self.trace: RunTrace | None = None
        self._ids = {"run": run.id, "session": run.session_id, "provider": run.provider}
        self._options = options
        self._began_at = time.monotonic()

    def begin(self, session: Session) -> None:
        """Begin the span of the run, and make it current in this thread and in those that it starts."""
        tracing = self._options.tracing
        if tracing is not None:
            self.trace = tracing.begin_run(
                run_id=self._ids["run"] or "",
                session_id=session.id,
                provider=self._ids["provider"] or "",
                agent=session.agent_id,
            )
            self.trace.enter()
        logs.info("recording", "run started", **self._ids)

    def end(self, outcome: Outcome, run: Run, usage: TokenUsage) -> None:
        """Log the end of the run, and end its span.

        `run` has what all its executions used, `usage` is that of this one.
        """
        expected = outcome.run_status in {RunStatus.COMPLETED, RunStatus.CANCELLED}
        log = logs.info if expected else logs.warning
        log(
            "recording",
            f"run {outcome.run_status}",
            **self._ids,
            code=(outcome.error or {}).get("code"),
            seconds=time.monotonic() - self._began_at,
            tokens=usage.total_tokens or None,
        )
        if self.trace is None:
            return
        ended = priced(outcome.close_run(run), self._options.prices)
        self.trace.end(
            outcome.run_status,
            error_type=error_type(outcome),
            cost_usd=None if ended.cost_usd is None else float(ended.cost_usd),
            model=ended.model,
            stop_reason=(ended.output or {}).get("stop_reason"),
            usage=usage,
        )

    def fail(self, error: BaseException) -> None:
        """End the span of a run whose end could not be stored."""
        if self.trace is not None:
            self.trace.fail(error)

    def warn(self, event: str, **fields: Any) -> None:
        """Log a warning about the run."""
        logs.warning("recording", event, **self._ids, **fields)
