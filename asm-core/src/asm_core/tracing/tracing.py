"""What an application asks spans of."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asm_core.errors import DependencyNotAvailableError, ValidationError, short_repr

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from asm_core.tracing.run_trace import RunTrace

T = TypeVar("T")


class Tracing:
    """Makes spans of OpenTelemetry: of runs, of calls of models and tools, and of calls of a store.

    The option `tracing` of a `SessionManager` takes it for runs, and `backend` for a store. Spans follow the semantic
    conventions for generative AI and for databases. They have ids, names, codes and numbers, and never content. A span
    is below the one that is current where the application calls the manager or the store.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        """Make spans with `tracer_provider`; None: with the application's global one.

        Raises:
            DependencyNotAvailableError: OpenTelemetry is not installed.
        """
        try:
            from opentelemetry import trace  # noqa: PLC0415  an optional dependency
        except ImportError as error:
            message = f"Tracing needs opentelemetry-api ({error}). Install it: pip install 'asm-core[otel]'"
            raise DependencyNotAvailableError(message) from error
        self._tracer = trace.get_tracer("asm_core", tracer_provider=tracer_provider)

    def backend(self, backend: T) -> T:
        """Return `backend` with a span for each call of its ports, also of those of its transactions.

        `backend` is a synchronous one. Pass the result to `asm_core.aio.wrap` for asyncio.

        Raises:
            ValidationError: `backend` is no synchronous backend, or is traced already.
        """
        if untraced(backend) is not backend or not hasattr(backend, "session_store") or hasattr(backend, "sync"):
            message = f"Tracing.backend takes an open asm_core.Backend that is not traced, not {short_repr(backend)}."
            raise ValidationError(message)
        from asm_core.tracing.ports import TracedPorts  # noqa: PLC0415  it imports OpenTelemetry

        system = str(getattr(backend, "dialect", None) or getattr(backend, "name", "other"))
        return TracedPorts(backend, self._tracer, system)  # type: ignore[return-value]

    def begin_run(self, *, run_id: str, session_id: str, provider: str, agent: str) -> RunTrace:
        """Begin the span of a run, for the manager that executes it."""
        from asm_core.tracing.run_trace import RunTrace  # noqa: PLC0415  it imports OpenTelemetry

        return RunTrace(self._tracer, run_id=run_id, session_id=session_id, provider=provider, agent=agent)


def untraced(port: T) -> T:
    """Return a port, or a backend, without its spans: for calls that repeat in the background."""
    found: T = getattr(port, "untraced", port)
    return found
