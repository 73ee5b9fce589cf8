"""Times as they are given on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

TIME_HELP = "a time (2026-01-31, 2026-01-31T12:00, with or without a zone) or how long ago (45s, 30m, 2h, 3d, 1w)"

_AGO = re.compile(r"(\d{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(option: str, text: str | None) -> datetime | None:
    """Return the time that `text` gives: in ISO 8601, local where it names no zone, or as how long ago it was.

    Raises:
        typer.BadParameter: it gives none.
    """
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is no time. Give {TIME_HELP}."
        raise typer.BadParameter(message, param_hint=option) from None
