"""Writes the events of a run: as they come, redacted, and to their end."""
