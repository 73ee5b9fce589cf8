"""Redaction of secrets before anything is stored."""

from asm_core.recording.redaction.redactor import Redactor

__all__ = ["Redactor"]
