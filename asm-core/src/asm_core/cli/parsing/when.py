"""Parsing of times in command-line options."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

TIME_HELP = "a time (2026-01-31 or 2026-01-31T12:00, with or without a zone) or an age (45s, 30m, 2h, 3d, 1w)"

_AGO = re.compile(r"(\d{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(option: str, text: str | None) -> datetime | None:
    """Parse a time in ISO 8601 (local without a zone), or a duration before now.

    Raises:
        typer.BadParameter: `text` is neither.
    """
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"Invalid time: {text!r}. Give {TIME_HELP}."
        raise typer.BadParameter(message, param_hint=option) from None
