"""Redaction of secrets before anything is stored or exported."""

from asm_core.redaction.redactor import Redactor

__all__ = ["Redactor"]
