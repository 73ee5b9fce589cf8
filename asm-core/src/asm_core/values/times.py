"""Times: aware, in UTC, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from asm_core.errors import ValidationError, short_repr


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def check_time(name: str, value: object) -> datetime:
    """Return `value` in UTC.

    Raises:
        ValidationError: it is not a datetime, or has no time zone.
    """
    if not isinstance(value, datetime):
        message = f"{name} must be a datetime, not {short_repr(value)}."
        raise ValidationError(message)
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        message = f"{name} must have a time zone, but {value.isoformat()} has none. Use datetime.now(UTC)."
        raise ValidationError(message)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        message = f"{name} is out of range in UTC: {value.isoformat()}."
        raise ValidationError(message) from None


def check_optional_time(name: str, value: object) -> datetime | None:
    """Return `value` in UTC, or None."""
    return None if value is None else check_time(name, value)


def second_of(time: datetime) -> datetime:
    """Return `time` without its fraction of a second."""
    return time.replace(microsecond=0)


def days_before(now: datetime, days: int | None) -> datetime | None:
    """Return the time `days` before `now`; None if there is no limit."""
    return None if days is None else now - timedelta(days=days)
