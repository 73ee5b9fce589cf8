"""Spans of OpenTelemetry for runs, models, tools and stores. OpenTelemetry is imported by `Tracing()`, not before."""

from asm_core.tracing.current import in_tool, model_call
from asm_core.tracing.tracing import Tracing, untraced

__all__ = ["Tracing", "in_tool", "model_call", "untraced"]
