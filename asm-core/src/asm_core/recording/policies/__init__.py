"""Policies: what a run may use, and which tools it may call."""

from asm_core.recording.policies.guard import Guard
from asm_core.recording.policies.rules import Budget, Policies, Policy, ToolPolicy, check_policies

__all__ = ["Budget", "Guard", "Policies", "Policy", "ToolPolicy", "check_policies"]
